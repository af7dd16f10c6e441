"""The decision table, as data.

Rules: `TABLE` alone decides which verb a situation and a desired state call for. It has a row for every situation and
desired state, which a test proves. It uses no time, receipts or limits: `decide` turns those into a situation and a
column first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from reconciler.core.conditions import Stance
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import Verb


class Situation(StrEnum):
    """The situation of a job: its phase, and where it matters, whether we caused it."""

    NEVER_SEEN = "absent, never seen"
    VANISHED = "absent, was seen unfinished"
    VANISHED_AFTER_CANCEL = "absent once, after an accepted cancel"
    GONE_AFTER_CANCEL = "absent twice, after an accepted cancel"
    PROGRESSING = "validating_files, queued or running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLING = "cancelling"
    CANCELLING_BY_US = "cancelling, asked for by us"
    SUCCEEDED = "succeeded"
    SUCCEEDED_DESPITE_CANCEL = "succeeded, after an accepted cancel"
    FAILED = "failed"
    FAILED_DESPITE_CANCEL = "failed, after an accepted cancel"
    CANCELLED = "cancelled"
    CANCELLED_BY_LIMIT = "cancelled, for a limit"
    CANCELLED_BY_US = "cancelled, asked for by us"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableRow:
    """The condition to write and the verb to request."""

    stance: Stance
    reason: Reason
    verb: Verb | None = None


def _hold(reason: Reason = Reason.AS_DESIRED) -> TableRow:
    return TableRow(Stance.HOLD, reason)


def _wait(reason: Reason) -> TableRow:
    return TableRow(Stance.WAIT, reason)


def _give_up(reason: Reason) -> TableRow:
    return TableRow(Stance.GIVE_UP, reason)


_CANCEL = TableRow(Stance.WAIT, Reason.CANCEL_PENDING, Verb.CANCEL)
_PAUSE = TableRow(Stance.WAIT, Reason.PAUSE_PENDING, Verb.PAUSE)
_RESUME = TableRow(Stance.WAIT, Reason.RESUME_PENDING, Verb.RESUME)

_COLUMNS = (DesiredState.RUNNING, DesiredState.PAUSED, DesiredState.CANCELLED, DesiredState.OBSERVED)
_ROWS: dict[Situation, tuple[TableRow, TableRow, TableRow, TableRow]] = {
    # wanted:                 running, paused, cancelled (or over a limit), observed
    Situation.NEVER_SEEN: (
        _give_up(Reason.JOB_NOT_FOUND),
        _give_up(Reason.JOB_NOT_FOUND),
        _give_up(Reason.JOB_NOT_FOUND),
        _give_up(Reason.JOB_NOT_FOUND),
    ),
    Situation.VANISHED: (
        _give_up(Reason.JOB_VANISHED),
        _give_up(Reason.JOB_VANISHED),
        _give_up(Reason.JOB_VANISHED),
        _hold(Reason.JOB_GONE),
    ),
    Situation.VANISHED_AFTER_CANCEL: (
        _give_up(Reason.JOB_VANISHED),
        _give_up(Reason.JOB_VANISHED),
        _wait(Reason.CANCEL_PENDING),
        _hold(Reason.JOB_GONE),
    ),
    Situation.GONE_AFTER_CANCEL: (
        _give_up(Reason.JOB_VANISHED),
        _give_up(Reason.JOB_VANISHED),
        _hold(Reason.JOB_GONE),
        _hold(Reason.JOB_GONE),
    ),
    Situation.PROGRESSING: (_hold(), _PAUSE, _CANCEL, _hold()),
    Situation.PAUSING: (_wait(Reason.RESUME_PENDING), _wait(Reason.PAUSE_PENDING), _CANCEL, _hold()),
    Situation.PAUSED: (_RESUME, _hold(), _CANCEL, _hold()),
    Situation.CANCELLING: (
        _wait(Reason.CANCELLING_ELSEWHERE),
        _wait(Reason.CANCELLING_ELSEWHERE),
        _wait(Reason.CANCEL_PENDING),
        _hold(),
    ),
    Situation.CANCELLING_BY_US: (
        _wait(Reason.CANCEL_PENDING),
        _wait(Reason.CANCEL_PENDING),
        _wait(Reason.CANCEL_PENDING),
        _hold(),
    ),
    Situation.SUCCEEDED: (
        _hold(Reason.SUCCEEDED),
        _hold(Reason.SUCCEEDED),
        _hold(Reason.FINISHED_BEFORE_CANCEL),
        _hold(Reason.SUCCEEDED),
    ),
    Situation.SUCCEEDED_DESPITE_CANCEL: (
        _hold(Reason.SUCCEEDED),
        _hold(Reason.SUCCEEDED),
        _hold(Reason.FINISHED_DESPITE_CANCEL),
        _hold(Reason.SUCCEEDED),
    ),
    Situation.FAILED: (
        _give_up(Reason.JOB_FAILED),
        _give_up(Reason.JOB_FAILED),
        _hold(Reason.FINISHED_BEFORE_CANCEL),
        _hold(),
    ),
    Situation.FAILED_DESPITE_CANCEL: (
        _give_up(Reason.JOB_FAILED),
        _give_up(Reason.JOB_FAILED),
        _hold(Reason.FINISHED_DESPITE_CANCEL),
        _hold(),
    ),
    Situation.CANCELLED: (
        _give_up(Reason.CANCELLED_ELSEWHERE),
        _give_up(Reason.CANCELLED_ELSEWHERE),
        _hold(Reason.CANCELLED),
        _hold(),
    ),
    Situation.CANCELLED_BY_LIMIT: (
        _hold(Reason.LIMIT_REACHED),
        _hold(Reason.LIMIT_REACHED),
        _hold(Reason.CANCELLED),
        _hold(),
    ),
    Situation.CANCELLED_BY_US: (
        _give_up(Reason.CANCELLED_BY_US),
        _give_up(Reason.CANCELLED_BY_US),
        _hold(Reason.CANCELLED),
        _hold(),
    ),
    Situation.UNKNOWN: (
        _wait(Reason.PHASE_NOT_UNDERSTOOD),
        _wait(Reason.PHASE_NOT_UNDERSTOOD),
        _wait(Reason.PHASE_NOT_UNDERSTOOD),
        _wait(Reason.PHASE_NOT_UNDERSTOOD),
    ),
}

TABLE = MappingProxyType(
    {(situation, wanted): row for situation, rows in _ROWS.items() for wanted, row in zip(_COLUMNS, rows, strict=True)}
)
