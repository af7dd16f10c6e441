"""Decide about a change that the table requires: the verdict about its request, and the request if it is due now.

Rules: a forbidden change is never requested. An attempt is due by `backoff`, or because a user requested a retry. A
limit that this observation cannot check causes no attempt. Outside the change windows no attempt is made, except for a
change that shadow mode has already reported.
"""

from __future__ import annotations

from datetime import datetime

from reconciler.core import backoff
from reconciler.core.change_windows import is_open, outside
from reconciler.core.conditions import Readiness, Verdict, verdict_of
from reconciler.core.receipts import is_contested, open_for
from reconciler.core.settle import not_honoured
from reconciler.core.shadow import is_reported
from reconciler.core.situation import Situated
from reconciler.core.subject import Subject
from reconciler.core.table import TableRow
from reconciler.model.action import Action
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import Because, Receipt, Verb


def due_request(
    subject: Subject, row: TableRow, verb: Verb, seen: Situated, wanted: DesiredState, now: datetime
) -> tuple[Verdict, Action | None]:
    """Return the verdict of a table row with a verb, and the action if an attempt is due now.

    `wanted` is the desired state of the spec, or `cancelled` if a limit is in force.
    """
    receipt = open_for(seen.receipts, verb)
    forbidding = _forbidding(subject, verb, seen, now)
    if forbidding is not None:
        return forbidding, None
    verdict = _pending(subject, row, verb, seen, receipt, now)
    is_limit = wanted is not subject.spec.desired_state
    if (is_limit and seen.is_limit_remembered) or not _is_attempt_due(subject, verb, receipt, now):
        return verdict, None
    was_reported = subject.is_shadow and is_reported(seen.last, verb)
    # A change that shadow mode reported was within a window then, and would have been requested.
    if not was_reported and not is_open(subject.windows, now):
        return (verdict if receipt else outside(subject.windows, verb, subject.digest, seen.last, now)), None
    action = Action(
        verb=verb,
        ref=subject.ref,
        name=subject.name,
        because=Because.LIMIT_REACHED if is_limit else Because.DESIRED_STATE,
        reason=seen.limit if is_limit else subject.spec.reason,
        is_first_attempt=receipt is None and not was_reported,
    )
    return verdict, action


def _is_attempt_due(subject: Subject, verb: Verb, receipt: Receipt | None, now: datetime) -> bool:
    """Return whether an attempt is due now. `receipt` is None if no request was sent yet."""
    return receipt is None or subject.is_retry or backoff.is_attempt_due(receipt, now, subject.honour_within(verb))


def _forbidding(subject: Subject, verb: Verb, seen: Situated, now: datetime) -> Verdict | None:
    """Return the verdict that forbids this verb for this job, or None. A cancel is always allowed."""
    if verb is Verb.CANCEL:
        return None
    if not (subject.kind.can_be_paused and subject.capabilities.can_pause):
        return Verdict(Readiness.STALLED, Reason.NOT_SUPPORTED, f"{subject.ref.account.type} cannot {verb} a job")
    if open_for(seen.receipts, verb) is None and is_contested(seen.receipts, verb, now):
        message = f"something other than reconcile undid the {verb} three times within a day"
        return Verdict(Readiness.STALLED, Reason.CONTESTED, message)
    return None


def _pending(
    subject: Subject, row: TableRow, verb: Verb, seen: Situated, receipt: Receipt | None, now: datetime
) -> Verdict:
    """Return the verdict of a pending request. `receipt` is its open receipt, or None if no request was sent yet.

    The verdict stays the same until the receipt changes or the last regular attempt has timed out.
    """
    last = seen.last
    if receipt is not None and last is not None and last.open_receipt == receipt:
        before = verdict_of(last)
        if before.reason is Reason.ACTION_FORBIDDEN:
            return before
        if backoff.is_exhausted(receipt, now, subject.honour_within(verb)):
            return not_honoured(verb, seen.phase)
        if before.reason is row.reason and before.readiness is Readiness.RECONCILING:
            return before
    over = f", over {seen.limit}" if seen.limit else ""
    progress = "was requested" if receipt else "is due"
    return Verdict(row.readiness, row.reason, f"{seen.phase} at the provider{over}; {verb} {progress}")
