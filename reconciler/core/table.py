"""The decision table, as data.

Rules: `TABLE` alone determines which verb a situation and a desired state require. It has an entry for every situation
and desired state, which a test checks. It does not depend on time, receipts or limits. `situation` and `decide`
translate those into a situation and a column first.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from reconciler.core.conditions import Readiness
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import Verb


class Situation(StrEnum):
    """The situation of a job: its phase and, where it matters, whether reconcile caused it."""

    NEVER_SEEN = "absent, never seen"
    VANISHED = "absent, was seen unfinished"
    VANISHED_AFTER_CANCEL = "absent once, after an accepted cancel"
    GONE_AFTER_CANCEL = "absent twice, after an accepted cancel"
    PROGRESSING = "validating_files, queued or running"
    PAUSING = "pausing"
    PAUSING_ELSEWHERE = "pausing, not requested by reconcile"
    PAUSED = "paused"
    PAUSED_ELSEWHERE = "paused, not requested by reconcile"
    CANCELLING = "cancelling"
    CANCELLING_BY_US = "cancelling, requested by reconcile"
    SUCCEEDED = "succeeded"
    SUCCEEDED_DESPITE_CANCEL = "succeeded, after an accepted cancel"
    FAILED = "failed"
    FAILED_DESPITE_CANCEL = "failed, after an accepted cancel"
    CANCELLED = "cancelled"
    CANCELLED_BY_LIMIT = "cancelled, because of a limit"
    CANCELLED_BY_US = "cancelled, requested by reconcile"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TableRow:
    """The condition to write and the verb to request, or None for no request."""

    readiness: Readiness
    reason: Reason
    verb: Verb | None = None


def _ready(reason: Reason = Reason.AS_DESIRED) -> TableRow:
    return TableRow(Readiness.READY, reason)


def _reconciling(reason: Reason) -> TableRow:
    return TableRow(Readiness.RECONCILING, reason)


def _stalled(reason: Reason) -> TableRow:
    return TableRow(Readiness.STALLED, reason)


_CANCEL = TableRow(Readiness.RECONCILING, Reason.CANCEL_PENDING, Verb.CANCEL)
_PAUSE = TableRow(Readiness.RECONCILING, Reason.PAUSE_PENDING, Verb.PAUSE)
_RESUME = TableRow(Readiness.RECONCILING, Reason.RESUME_PENDING, Verb.RESUME)

_COLUMNS = (DesiredState.RUNNING, DesiredState.PAUSED, DesiredState.CANCELLED, DesiredState.OBSERVED)
_ROWS: dict[Situation, tuple[TableRow, TableRow, TableRow, TableRow]] = {
    # wanted:                 running, paused, cancelled (or over a limit), observed
    Situation.NEVER_SEEN: (
        _stalled(Reason.JOB_NOT_FOUND),
        _stalled(Reason.JOB_NOT_FOUND),
        _stalled(Reason.JOB_NOT_FOUND),
        _stalled(Reason.JOB_NOT_FOUND),
    ),
    Situation.VANISHED: (
        _stalled(Reason.JOB_VANISHED),
        _stalled(Reason.JOB_VANISHED),
        _stalled(Reason.JOB_VANISHED),
        _ready(Reason.JOB_GONE),
    ),
    Situation.VANISHED_AFTER_CANCEL: (
        _stalled(Reason.JOB_VANISHED),
        _stalled(Reason.JOB_VANISHED),
        _reconciling(Reason.CANCEL_PENDING),
        _ready(Reason.JOB_GONE),
    ),
    Situation.GONE_AFTER_CANCEL: (
        _stalled(Reason.JOB_VANISHED),
        _stalled(Reason.JOB_VANISHED),
        _ready(Reason.JOB_GONE),
        _ready(Reason.JOB_GONE),
    ),
    Situation.PROGRESSING: (_ready(), _PAUSE, _CANCEL, _ready()),
    Situation.PAUSING: (_reconciling(Reason.RESUME_PENDING), _reconciling(Reason.PAUSE_PENDING), _CANCEL, _ready()),
    Situation.PAUSING_ELSEWHERE: (
        _stalled(Reason.PAUSED_ELSEWHERE),
        _reconciling(Reason.PAUSE_PENDING),
        _CANCEL,
        _ready(),
    ),
    Situation.PAUSED: (_RESUME, _ready(), _CANCEL, _ready()),
    Situation.PAUSED_ELSEWHERE: (_stalled(Reason.PAUSED_ELSEWHERE), _ready(), _CANCEL, _ready()),
    Situation.CANCELLING: (
        _reconciling(Reason.CANCELLING_ELSEWHERE),
        _reconciling(Reason.CANCELLING_ELSEWHERE),
        _reconciling(Reason.CANCEL_PENDING),
        _ready(),
    ),
    Situation.CANCELLING_BY_US: (
        _reconciling(Reason.CANCEL_PENDING),
        _reconciling(Reason.CANCEL_PENDING),
        _reconciling(Reason.CANCEL_PENDING),
        _ready(),
    ),
    Situation.SUCCEEDED: (
        _ready(Reason.SUCCEEDED),
        _ready(Reason.SUCCEEDED),
        _ready(Reason.FINISHED_BEFORE_CANCEL),
        _ready(Reason.SUCCEEDED),
    ),
    Situation.SUCCEEDED_DESPITE_CANCEL: (
        _ready(Reason.SUCCEEDED),
        _ready(Reason.SUCCEEDED),
        _ready(Reason.FINISHED_DESPITE_CANCEL),
        _ready(Reason.SUCCEEDED),
    ),
    Situation.FAILED: (
        _stalled(Reason.JOB_FAILED),
        _stalled(Reason.JOB_FAILED),
        _ready(Reason.FINISHED_BEFORE_CANCEL),
        _ready(),
    ),
    Situation.FAILED_DESPITE_CANCEL: (
        _stalled(Reason.JOB_FAILED),
        _stalled(Reason.JOB_FAILED),
        _ready(Reason.FINISHED_DESPITE_CANCEL),
        _ready(),
    ),
    Situation.CANCELLED: (
        _stalled(Reason.CANCELLED_ELSEWHERE),
        _stalled(Reason.CANCELLED_ELSEWHERE),
        _ready(Reason.CANCELLED),
        _ready(),
    ),
    Situation.CANCELLED_BY_LIMIT: (
        _ready(Reason.LIMIT_REACHED),
        _ready(Reason.LIMIT_REACHED),
        _ready(Reason.CANCELLED),
        _ready(),
    ),
    Situation.CANCELLED_BY_US: (
        _stalled(Reason.CANCELLED_BY_US),
        _stalled(Reason.CANCELLED_BY_US),
        _ready(Reason.CANCELLED),
        _ready(),
    ),
    Situation.UNKNOWN: (
        _reconciling(Reason.PHASE_NOT_UNDERSTOOD),
        _reconciling(Reason.PHASE_NOT_UNDERSTOOD),
        _reconciling(Reason.PHASE_NOT_UNDERSTOOD),
        _reconciling(Reason.PHASE_NOT_UNDERSTOOD),
    ),
}

TABLE = MappingProxyType(
    {(situation, wanted): row for situation, rows in _ROWS.items() for wanted, row in zip(_COLUMNS, rows, strict=True)}
)
