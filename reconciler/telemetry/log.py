"""The log of a watch: one line for each transition, as text or as JSON.

Rules:

- A pass in which nothing changed logs nothing.
- The start of an outage is one line, and its end is another.
- A line about a job contains the job's name, and its account if that is known.
- Known secrets are redacted in every line.
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
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Account
from reconciler.model.reason import Reason
from reconciler.model.report import AccountReport, Refusal, Report, Row
from reconciler.model.transition import Transition
from reconciler.redaction import KNOWN_SECRETS
from reconciler.telemetry.trace_ids import add_trace_ids
from reconciler.views.problems import ignored_approvals
from reconciler.views.text import count

AsText = Callable[[MutableMapping[str, Any]], str]
"""A function that renders an event as a line of text. The event always has the fields `event`, `level` and `at`."""


def make_logger(stream: TextIO, *, as_text: AsText | None = None) -> FilteringBoundLogger:
    """Return a logger that writes to a stream.

    Args:
        stream: the stream to write to.
        as_text: renders an event as text. If it is None, each event is written as a JSON object with all its fields.
    """

    def redact(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: KNOWN_SECRETS.redact(value) if isinstance(value, str) else value for key, value in event.items()}

    def to_text(_: object, __: str, event: MutableMapping[str, Any]) -> str:
        return as_text(event) if as_text is not None else ""

    common: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True, key="at"),
        redact,
    ]
    as_json: list[Processor] = [
        add_trace_ids,
        structlog.processors.EventRenamer("message"),
        structlog.processors.JSONRenderer(),
    ]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*common, *(as_json if as_text is None else [to_text])],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger


FIRST_OBSERVED_MAX = 20
"""The maximum number of first observations that a pass logs one by one. If there are more, one line summarises them."""


class LogFile:
    """A log file that may be rotated, as a stream. The constructor raises `OSError` if the file cannot be opened."""

    def __init__(self, path: Path) -> None:
        self._file = AppendFile(path)
        self._lost_lines = 0

    def __enter__(self) -> Self:
        """Return the stream, which is open."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the file."""
        self._file.close()

    def write(self, text: str) -> int:
        """Append lines, and return the length of the text.

        Lines that cannot be written are dropped. The next successful write reports how many lines were dropped.
        """
        lines = count(self._lost_lines, "line")
        missing = {"level": "warning", "message": f"{lines} before this one could not be written"}
        notice = json.dumps(missing) + "\n" if self._lost_lines else ""
        try:
            self._file.append((notice + text).encode(errors="replace"), is_durable=False)
        except OSError:
            self._lost_lines += text.count("\n")
        else:
            self._lost_lines = 0
        return len(text)

    def flush(self) -> None:
        """Do nothing, because each line is written at once."""

    def reopen(self) -> None:
        """Reopen the file by its name. If that fails, the next write tries again if the file was moved or deleted."""
        with suppress(OSError):
            self._file.reopen()


class PassLog:
    """The log of what changed in each pass, compared with the previous pass."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self._last_rows: dict[str, Row] = {}
        self._outages: dict[str, set[str]] = {}
        """The accounts with an outage, each with the jobs that have not been observed since it began."""
        self._refusals: tuple[Refusal, ...] = ()
        self._last_warnings: frozenset[str] = frozenset()
        self._is_shadow = False

    def log_pass(self, report: Report, covered: Collection[str]) -> None:
        """Log what changed since the previous pass. `covered` contains the names of the specs that the pass handled."""
        if report.is_shadow and not self._is_shadow:
            self._logger.info("shadow mode: no change is requested", shadow=True)
        self._is_shadow = report.is_shadow
        self._log_transitions(report)
        self._log_outages(report, covered)
        self._log_warnings(report)

    def _log_transitions(self, report: Report) -> None:
        """Log each job whose state changed, and one line for all first observations if there are many."""
        before, self._last_rows = self._last_rows, {row.name: row for row in report.rows}
        changed = [
            each
            for each in report.transitions
            if each.name not in before or _state(before[each.name]) != _state(self._last_rows[each.name])
        ]
        first = [each for each in changed if each.is_first_sight]
        if len(first) > FIRST_OBSERVED_MAX:
            self._summarise(first)
            changed = [each for each in changed if not each.is_first_sight]
        for each in changed:
            self._log_transition(each, report.revision)

    def _log_warnings(self, report: Report) -> None:
        """Log each warning once when it begins, and once when it is resolved."""
        self._refusals = self._current_refusals(report)
        warnings = frozenset(
            [
                *map(str, report.diagnostics),
                *report.notices,
                *report.errors,
                *map(str, self._refusals),
                *ignored_approvals(self._refusals),
            ]
        )
        for line in sorted(warnings - self._last_warnings):
            self._logger.warning(line)
        for line in sorted(self._last_warnings - warnings):
            self._logger.info("resolved: %s", line)
        self._last_warnings = warnings

    def _current_refusals(self, report: Report) -> tuple[Refusal, ...]:
        """Return the refusals of the guard that are in force.

        A pass over other jobs does not repeat an earlier refusal. An earlier refusal therefore stays in force while one
        of its jobs is still refused and is not part of a newer refusal.
        """
        if not self._refusals:
            return report.refusals
        refused = {row.name for row in report.rows if row.status.ready.reason is Reason.REFUSED_BY_GUARD}
        refused -= {name for refusal in report.refusals for name in refusal.names}
        return (*report.refusals, *(each for each in self._refusals if refused.intersection(each.names)))

    def log_event(self, event: PassEvent) -> None:
        """Log a change request when it is sent. Other events are not logged here; `log_pass` logs the outcome."""
        if isinstance(event, RequestStarted):
            action = event.action
            self._logger.info("%s sent", action.verb, name=action.name, account=str(action.ref.account))

    def log_leadership(self, before: ElectionStatus | None, after: ElectionStatus) -> None:
        """Log a change of what the watch knows of its election."""
        if before == after:
            return
        was_leader = before is not None and before.is_leader
        if after.is_leader:
            if not was_leader:
                self._logger.info(after.text)
            elif after.problem is not None:
                self._logger.warning("the lease could not be renewed: %s", after.problem)
            else:
                self._logger.info("the lease is renewed again")
        elif was_leader:
            self._logger.warning("no longer leading: %s", after.problem)
        else:
            log = self._logger.info if after.problem is None else self._logger.warning
            log(after.text)

    def _summarise(self, transitions: Sequence[Transition]) -> None:
        """Log one line for all jobs that got their first status, with the number of each reason."""
        reasons = Counter(str(each.after.ready.reason) for each in transitions).most_common()
        summary = ", ".join(f"{number:,} {reason}" for reason, number in reasons)
        number = len(transitions)
        self._logger.info("first status of %s jobs: %s", f"{number:,}", summary, jobs=number)

    def _log_transition(self, transition: Transition, revision: str | None) -> None:
        status, action, progress = transition.after, transition.action, transition.progress
        fields = {
            "name": transition.name,
            "account": str(transition.ref.account) if transition.ref else None,
            "revision": revision,
            "phase": str(status.phase),
            "reason": str(status.ready.reason),
            "action": f"{action.verb} {progress}" if action and progress else None,
        }
        is_near = status.ready.reason is Reason.LIMIT_NEAR
        is_warning = status.is_stalled or status.has_unjudged_limit or is_near
        log = self._logger.warning if is_warning else self._logger.info
        log(_message(transition), **{key: value for key, value in fields.items() if value is not None})

    def _log_outages(self, report: Report, covered: Collection[str]) -> None:
        """Log each outage once when it begins, and once when all affected jobs have been observed again."""
        if not self._outages and all(each.unobserved is None for each in report.accounts):
            return
        unobserved = {row.name for row in report.rows if row.unobserved is not None}
        unfinished = {row.name for row in report.rows if not row.status.final}
        for each in report.accounts:
            account = str(each.account)
            self._log_begin(each)
            if (missing := self._outages.get(account)) is None:
                continue
            missing |= _names_in(report, each.account) & unobserved
            missing &= unfinished
            missing -= set(covered) - unobserved
            if each.is_seen and not missing:
                del self._outages[account]
                self._logger.info("observed again", provider=each.name, account=account)

    def _log_begin(self, status: AccountReport) -> None:
        """Log the outage of an account if it begins with this pass."""
        account = str(status.account)
        if status.unobserved is not None and account not in self._outages:
            self._outages[account] = set()
            fields = {"provider": status.name, "account": account, "reason": status.unobserved.reason}
            self._logger.warning("cannot be observed: %s", status.unobserved.message, **fields)


def _names_in(report: Report, account: Account | None) -> set[str]:
    """Return the names of the jobs of an account."""
    return {row.name for row in report.rows if row.ref is not None and row.ref.account == account}


def _message(transition: Transition) -> str:
    """Return the log message of a transition."""
    ready, action = transition.after.ready, transition.action
    if action is not None and transition.progress is Progress.ACCEPTED:
        return f"{action.verb} accepted, waiting for confirmation"
    return ready.message or str(ready.reason)


def _state(row: Row) -> tuple[object, ...]:
    return row.status.phase, row.status.ready.reason, row.status.ready.message, row.progress
