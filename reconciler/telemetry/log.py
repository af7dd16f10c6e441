"""The log of a watch: one line a transition, for people on a terminal and as JSON elsewhere.

Rules: a poll that brings nothing new says nothing; an outage is one line, and its end another; a line about a job bears
its name, account and revision; no secret gets past, whoever put it there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping
from typing import Any, TextIO

import structlog
from structlog.typing import FilteringBoundLogger, Processor

from reconciler.model.report import Report, Row
from reconciler.plugin import redact


def make_logger(
    stream: TextIO, *, is_json: bool, has_color: bool = False, secrets: Collection[str] = ()
) -> FilteringBoundLogger:
    """Return a logger that writes to a stream. `secrets` may grow later."""

    def strike_out(_: object, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
        return {key: redact(value, secrets) if isinstance(value, str) else value for key, value in event.items()}

    common: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="%Y-%m-%dT%H:%M:%SZ", utc=True, key="at"),
        strike_out,
    ]
    as_json: list[Processor] = [structlog.processors.EventRenamer("message"), structlog.processors.JSONRenderer()]
    as_text: list[Processor] = [structlog.dev.ConsoleRenderer(colors=has_color, timestamp_key="at", pad_event_to=0)]
    logger: FilteringBoundLogger = structlog.wrap_logger(
        structlog.PrintLogger(stream),
        processors=[*common, *(as_json if is_json else as_text)],
        wrapper_class=structlog.make_filtering_bound_logger("info"),
        cache_logger_on_first_use=True,
    )
    return logger


class PassLog:
    """Tells what each pass brought that the one before did not."""

    def __init__(self, logger: FilteringBoundLogger) -> None:
        self._logger = logger
        self._stood: dict[str, tuple[object, ...]] | None = None
        self._away: set[str] = set()
        self._said: frozenset[str] = frozenset()

    def passed(self, report: Report) -> None:
        """Log what is new in a report."""
        stood = {row.name: _standing(row) for row in report.rows}
        for row in report.rows:
            if row.before != row.status and (self._stood or {}).get(row.name) != stood[row.name]:
                self._tell(row, report.revision)
        self._stood = stood
        self._tell_accounts(report)
        said = frozenset([*map(str, report.diagnostics), *report.notices, *report.errors, *map(str, report.refusals)])
        for line in sorted(said - self._said):
            self._logger.warning(line)
        self._said = said

    def _tell(self, row: Row, revision: str | None) -> None:
        ready = row.status.ready
        told = {
            "name": row.name,
            "account": str(row.ref.account) if row.ref else None,
            "revision": revision,
            "phase": str(row.status.phase),
            "reason": str(ready.reason),
            "action": f"{row.action.verb} {row.progress}" if row.action and row.progress else None,
        }
        log = self._logger.warning if row.status.is_stalled else self._logger.info
        log(ready.message or str(ready.reason), **{key: value for key, value in told.items() if value is not None})

    def _tell_accounts(self, report: Report) -> None:
        for each in report.accounts:
            account = str(each.account)
            if each.unseen_reason is not None and account not in self._away:
                self._away.add(account)
                self._logger.warning(
                    "an account cannot be looked at", account=account, reason=each.unseen_reason, why=each.message
                )
            elif each.is_seen and account in self._away:
                self._away.discard(account)
                self._logger.info("the account can be looked at again", account=account)


def _standing(row: Row) -> tuple[object, ...]:
    return row.status.phase, row.status.ready.reason, row.status.ready.message, row.progress
