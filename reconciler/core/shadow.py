"""Shadow mode: withhold every change that would be requested, and report it instead.

Theory: an operator tries out rules and specs before they act. Therefore everything but the request happens as usual: a
change is decided and judged by the guard, and its status reports it (`WouldCancel`). A status with such a reason stands
for the receipt that a request would have written. From then on, the change is not a first attempt, its time counts for
the guard's last hour, and a job whose cancel was reported does not count as unfinished.

Rules: a status of shadow mode contains no receipt of a change that was not requested. Outside shadow mode, its reasons
are ignored, so the change is requested at once. The functions are pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType

from reconciler.core.conditions import Readiness, Verdict, conclude
from reconciler.model.action import Action
from reconciler.model.reason import Reason
from reconciler.model.status import Because, JobStatus, Verb

WOULD = MappingProxyType(
    {
        Verb.CANCEL: Reason.WOULD_CANCEL,
        Verb.PAUSE: Reason.WOULD_PAUSE,
        Verb.RESUME: Reason.WOULD_RESUME,
    }
)
"""The reason that reports a withheld change, by its verb."""
_REPORTED = {reason: verb for verb, reason in WOULD.items()}


def is_reported(last: JobStatus | None, verb: Verb) -> bool:
    """Return whether the last status reports this change as withheld."""
    return last is not None and last.ready.reason is WOULD[verb]


def withheld(decided: JobStatus, action: Action, last: JobStatus | None, now: datetime) -> JobStatus:
    """Return the status of a job whose change is due and is withheld, because of shadow mode.

    A status that is stalled because of an earlier request stays as it is.
    """
    if decided.is_stalled:
        return decided
    why = f", because the job is over {action.reason}" if action.because is Because.LIMIT_REACHED else ""
    message = f"shadow mode: the {action.verb} is not requested{why}"
    return conclude(decided, Verdict(Readiness.SUSPENDED, WOULD[action.verb], message), last, now)


def reported_at(status: JobStatus) -> Iterator[tuple[datetime, Verb]]:
    """Yield the time and the verb of each withheld change in the history of a status, the newest first.

    Consecutive entries with the same reason belong to one change, whose job has changed its phase meanwhile.
    """
    entries = status.history
    for entry, earlier in zip(entries, (*entries[1:], None), strict=True):
        verb = _REPORTED.get(entry.reason)
        if verb is not None and (earlier is None or earlier.reason is not entry.reason):
            yield entry.at, verb
