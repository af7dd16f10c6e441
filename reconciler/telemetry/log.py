"""The log of a watch: one line a transition, for people on a terminal and as JSON elsewhere.

Rules: a poll that brings nothing new says nothing; an outage is one line, and its end another; a line about a job bears
its name, account and revision; no secret gets past, whoever put it there.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, MutableMapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from reconciler.local.append_file import AppendFile
from reconciler.model.action import Progress
from reconciler.model.action_record import PassEvent, RequestStarted
from reconciler.model.reason import Reason
from reconciler.model.report import Refusal, Report, Row
from reconciler.model.transition import Transition
from reconciler.redaction import KNOWN_SECRETS

AsText = Callable[[MutableMapping[str, Any]], str]
"""Returns a line for people, of an event's fields: `event`, `level` and `at` are always there."""


def make_logger(stream: TextIO, *, as_text: AsText | None = None) -> FilteringBoundLogger:
    """Return a logger that writes to a stream.

    Args:
        stream: where the lines go.
        as_text: makes a line for people; None writes each event as a JSON object with all its fields.
    """

    def strike_out(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: KNOWN_SECRETS.redact(value) if isinstance(value, str) else value for key, value in event.items()}

    def to_text(_: object, __: str, event: MutableMapping[str, Any]) -> str:
        return as_text(event) if as_text is not None else ""

    common: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True, key="at"),
        strike_out,
    ]
    as_json: list[Processor] = [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*common, *(as_json if as_text is None else [to_text])],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger


FIRST_MAX = 20
"""So many jobs that a pass sees for the first time are a line each; more are one line together."""


class LogFile:
    """A stream for a logger, over a file that may be rotated. Opening it raises OSError; writing to it never does."""

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)
        self._lost_lines = 0

    def __enter__(self) -> Self:
        """Keep the file open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self._file.close()

    def write(self, text: str) -> int:
        """Append lines. What does not fit on the disk is counted, and the count is logged once there is room again."""
        missing = {"level": "warning", "message": f"{self._lost_lines} lines before this one could not be written"}
        notice = json.dumps(missing) + "\n" if self._lost_lines else ""
        try:
            self._file.append((notice + text).encode(errors="replace"), is_durable=False)
        except OSError:
            self._lost_lines += text.count("\n")
        else:
            self._lost_lines = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing: each line has been written already."""

    def reopen(self) -> None:
        """Open the file again by its name."""
        with suppress(OSError):  # the next line tries again, and counts itself as lost
            self._file.reopen()


class PassLog:
    """Tells what each pass brought that the one before did not."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self._stood: dict[str, tuple[object, ...]] = {}
        self._away: dict[str, set[str]] = {}
        """The accounts that cannot be observed, each with the jobs that have not been seen since."""
        self._refusals: tuple[Refusal, ...] = ()
        self._said: frozenset[str] = frozenset()

    def passed(self, report: Report, looked: Collection[str]) -> None:
        """Log what is new in a report. `looked` has the names of the jobs that the pass was about."""
        stood = {row.name: _standing(row) for row in report.rows}
        news = [each for each in report.transitions if self._stood.get(each.name) != stood[each.name]]
        self._stood = stood
        first = [each for each in news if each.is_first_sight]
        if len(first) > FIRST_MAX:
            self._summarise(first)
            news = [each for each in news if not each.is_first_sight]
        for each in news:
            self._tell(each, report.revision)
        self._tell_accounts(report, looked)
        self._refusals = self._standing_refusals(report)
        said = frozenset([*map(str, report.diagnostics), *report.notices, *report.errors, *map(str, self._refusals)])
        for line in sorted(said - self._said):
            self._logger.warning(line)
        for line in sorted(self._said - said):
            self._logger.info("over: %s", line)
        self._said = said

    def _standing_refusals(self, report: Report) -> tuple[Refusal, ...]:
        """Return what the guard refuses: an earlier refusal stands while a job of it does that no newer one names."""
        refused = {row.name for row in report.rows if row.status.ready.reason is Reason.REFUSED_BY_GUARD}
        refused -= {name for refusal in report.refusals for name in refusal.names}
        return (*report.refusals, *(each for each in self._refusals if refused.intersection(each.names)))

    def happened(self, event: PassEvent) -> None:
        """Log that a request leaves: what becomes of it, its pass tells."""
        if isinstance(event, RequestStarted):
            action = event.action
            self._logger.info("%s sent", action.verb, name=action.name, account=str(action.ref.account))

    def _summarise(self, transitions: Sequence[Transition]) -> None:
        """Log jobs that were observed for the first time, without a line for each."""
        reasons = Counter(str(each.after.ready.reason) for each in transitions).most_common()
        told = ", ".join(f"{number:,} {reason}" for reason, number in reasons)
        number = len(transitions)
        self._logger.info("%s jobs observed for the first time: %s", f"{number:,}", told, jobs=number)

    def _tell(self, transition: Transition, revision: str | None) -> None:
        status, action, progress = transition.after, transition.action, transition.progress
        told = {
            "name": transition.name,
            "account": str(transition.ref.account) if transition.ref else None,
            "revision": revision,
            "phase": str(status.phase),
            "reason": str(status.ready.reason),
            "action": f"{action.verb} {progress}" if action and progress else None,
        }
        is_warned = status.is_stalled or status.has_unjudged_limit
        log = self._logger.warning if is_warned else self._logger.info
        log(_message(transition), **{key: value for key, value in told.items() if value is not None})

    def _tell_accounts(self, report: Report, looked: Collection[str]) -> None:
        """Log each outage once, and its end: when everything that could not be seen was seen again."""
        unseen_now = {row.name for row in report.rows if row.unseen is not None}
        there = {row.name for row in report.rows if not row.status.final}
        for each in report.accounts:
            account = str(each.account)
            names = {row.name for row in report.rows if row.ref is not None and row.ref.account == each.account}
            if each.unseen is not None and account not in self._away:
                self._away[account] = set()
                about = {"provider": each.name, "account": account, "reason": each.unseen.reason}
                self._logger.warning("cannot be observed: %s", each.unseen.message, **about)
            if (missing := self._away.get(account)) is None:
                continue
            missing |= names & unseen_now
            missing &= there
            missing -= set(looked) - unseen_now
            if each.is_seen and not missing:
                del self._away[account]
                self._logger.info("observed again", provider=each.name, account=account)


def _message(transition: Transition) -> str:
    """Return what happened to a job, in a few words."""
    ready, action = transition.after.ready, transition.action
    if action is not None and transition.progress is Progress.ACCEPTED:
        return f"{action.verb} accepted, waiting for confirmation"
    return ready.message or str(ready.reason)


def _standing(row: Row) -> tuple[object, ...]:
    return row.status.phase, row.status.ready.reason, row.status.ready.message, row.progress
