"""The receipt protocol, which is the same for all three verbs.

A receipt records that a change was requested, accepted and confirmed. Instead of being confirmed, it may be withdrawn,
or become moot because the job changed for another reason.

Theory: a crash may happen between any two steps. Therefore a receipt is opened and synced before its request is sent
(`intend`), so that the next pass knows that a request may have been sent. While the receipt is open, the request is not
repeated before `backoff.next_attempt_at`, unless a user requests a retry.

Rules: a receipt whose change is no longer wanted is withdrawn. Any other outcome comes from an observation, which is a
later poll or the job that the provider showed with its refusal. If the provider refused every attempt, the receipt is
closed without being confirmed, because something else changed the job. At most one receipt is open.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from reconciler.core.conditions import phase_since
from reconciler.core.remembered_attempts import remembered
from reconciler.model.action import Action
from reconciler.model.job import TERMINAL, Phase
from reconciler.model.money import RecordedAmount
from reconciler.model.receipt_parts import spent_by
from reconciler.model.status import RECEIPTS_MAX, Because, JobStatus, Origin, Outcome, Receipt, Verb

REVERSALS_MAX = 3
"""A change that was undone this many times within `REVERSALS_WITHIN` is contested."""
REVERSALS_WITHIN = timedelta(days=1)
"""How long a reversal is counted."""

_RESUMED = frozenset({Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING})


def confirm(
    status: JobStatus | None, phase: Phase, now: datetime, interval: timedelta, *, is_refused: bool = False
) -> tuple[Receipt, ...]:
    """Return the receipts of a status after an observation, which closes the open receipt if it shows the outcome.

    Args:
        status: the last status, or None if there is none.
        phase: the observed phase.
        now: the current time.
        interval: how long a job must be absent after an accepted cancel before its outcome is `gone`.
        is_refused: whether the provider has just refused the open request and shown the job in this phase.

    A closed receipt is confirmed unless the provider refused every attempt, because an attempt that it did not refuse
    may have caused the outcome. A cancel with the outcome `gone` is opened again if the job is present.
    """
    if status is None:
        return ()
    known = status.receipts if phase is Phase.ABSENT else map(_reopened, status.receipts)
    return tuple(
        replace(
            receipt, outcome=outcome, confirmed_at=None if receipt.refusals + is_refused >= receipt.attempts else now
        )
        if receipt.is_open and (outcome := _outcome(receipt, status, phase, now, interval))
        else receipt
        for receipt in known
    )


def _reopened(receipt: Receipt) -> Receipt:
    return replace(receipt, outcome=None, confirmed_at=None) if receipt.outcome is Outcome.GONE else receipt


def withdraw(receipts: tuple[Receipt, ...], wanted: Verb | None) -> tuple[Receipt, ...]:
    """Return the receipts. The open receipt is closed as withdrawn unless its verb is `wanted`, which may be None."""
    return tuple(
        replace(receipt, outcome=Outcome.WITHDRAWN) if receipt.is_open and receipt.verb is not wanted else receipt
        for receipt in receipts
    )


def open_for(receipts: tuple[Receipt, ...], verb: Verb) -> Receipt | None:
    """Return the open receipt of a verb, or None."""
    return next((receipt for receipt in receipts if receipt.is_open and receipt.verb is verb), None)


def newest_cancel(receipts: tuple[Receipt, ...]) -> Receipt | None:
    """Return the newest cancel that may have had an effect, open or closed, or None."""
    cancels = (receipt for receipt in receipts if receipt.verb is Verb.CANCEL)
    return next((each for each in cancels if not (each.is_moot or each.is_refused)), None)


def has_accepted_cancel(receipts: tuple[Receipt, ...]) -> bool:
    """Return whether one of these receipts records a cancel that the provider accepted."""
    return any(receipt.verb is Verb.CANCEL and receipt.accepted_at is not None for receipt in receipts)


def may_vanish(receipts: tuple[Receipt, ...]) -> bool:
    """Return whether the job may be gone because of a cancel that the provider accepted and that is still open."""
    cancel = newest_cancel(receipts)
    return cancel is not None and cancel.is_open and cancel.accepted_at is not None


def may_pause(receipts: tuple[Receipt, ...], now: datetime, within: timedelta) -> bool:
    """Return whether the newest request is a pause of which an observation may show the effect only now.

    `within` is the longest time from a request until an observation shows its effect.
    """
    newest = receipts[0] if receipts else None
    if newest is None or newest.verb is not Verb.PAUSE or newest.is_refused:
        return False
    at = newest.accepted_at or newest.last_attempt_at
    return newest.outcome in {None, Outcome.WITHDRAWN} and now - at <= within


def limit_of_cancel(receipts: tuple[Receipt, ...], *, is_still_wanted: bool) -> str | None:
    """Return the limit that caused the newest cancel, or None.

    The limit is returned only if the outcome of the cancel is `gone`, or if the cancel is open and `is_still_wanted`.
    """
    cancel = open_for(receipts, Verb.CANCEL) or newest_cancel(receipts)
    if cancel is None or cancel.because is not Because.LIMIT_REACHED:
        return None
    return cancel.reason if cancel.outcome is Outcome.GONE or (cancel.is_open and is_still_wanted) else None


def is_contested(receipts: tuple[Receipt, ...], verb: Verb, now: datetime) -> bool:
    """Return whether others undid this change `REVERSALS_MAX` times within `REVERSALS_WITHIN`.

    The newest receipts must all record this change as confirmed. A receipt for another change in between means that
    reconcile undid it.
    """
    in_a_row = takewhile(lambda receipt: receipt.verb is verb and receipt.confirmed_at is not None, receipts)
    recent = [each for each in in_a_row if each.confirmed_at and now - each.confirmed_at < REVERSALS_WITHIN]
    return len(recent) >= REVERSALS_MAX


def intend(
    status: JobStatus,
    action: Action,
    origin: Origin | None,
    approved_by: str | None,
    now: datetime,
    not_spent: RecordedAmount | None = None,
    sunk_cost: RecordedAmount | None = None,
) -> JobStatus:
    """Return the intent, which is the status with a new receipt, or with one more attempt in the open receipt.

    Only a new receipt records the further arguments. `origin` is the commit that last changed the spec, or None if it
    is unknown. `approved_by` is the label of the approval, or None. `not_spent` is the spending that the cancel
    prevents, and `sunk_cost` what the job has cost. Both are None if they are unknown.
    """
    receipt = open_for(status.receipts, action.verb)
    if receipt is None:
        opened = Receipt(
            verb=action.verb,
            because=action.because,
            reason=action.reason,
            origin=origin,
            requested_at=now,
            last_attempt_at=now,
            attempts=1,
            approved_by=approved_by,
            not_spent=not_spent,
            sunk_cost=sunk_cost,
        )
        kept, dropped = status.receipts[: RECEIPTS_MAX - 1], status.receipts[RECEIPTS_MAX - 1 :]
        spent = (*status.spent, *remembered(spent_by(status, dropped), now))
        return replace(status, receipts=(opened, *kept), spent=spent)
    again = replace(receipt, attempts=receipt.attempts + 1, last_attempt_at=now)
    return replace(status, receipts=tuple(again if each is receipt else each for each in status.receipts))


def _outcome(receipt: Receipt, status: JobStatus, phase: Phase, now: datetime, interval: timedelta) -> Outcome | None:
    if phase in TERMINAL:
        return Outcome(phase.value)
    if receipt.verb is Verb.PAUSE and phase is Phase.PAUSED:
        return Outcome.PAUSED
    if receipt.verb is Verb.RESUME and phase in _RESUMED:
        return Outcome.RUNNING
    if receipt.verb is Verb.CANCEL and phase is Phase.ABSENT and receipt.accepted_at is not None:
        since = phase_since(status, Phase.ABSENT)
        return Outcome.GONE if since is not None and now - since >= interval else None
    return None
