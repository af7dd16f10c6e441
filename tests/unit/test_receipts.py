from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.decide import decide
from reconciler.core.receipts import confirm, intend, is_contested, limit_of_cancel, newest_cancel, withdraw
from reconciler.model.action import Action
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.status import Because, Origin, Outcome, Receipt, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    ABSENT,
    DAY,
    EDGES,
    HOUR,
    MINUTE,
    REF,
    a_look,
    a_past,
    a_receipt,
    a_subject,
    carried_out,
)

WHERE = [where for _, where in EDGES]
WANTED = a_subject("cancelled")
ASKED = a_receipt(age=HOUR)
TAKEN = replace(ASKED, accepted_at=NOW - HOUR)
BY_ADA = Origin("4be1f0c", "Ada <ada@example.org>")


def an_action(verb: Verb = Verb.CANCEL, *, is_first_attempt: bool = True) -> Action:
    return Action(
        verb=verb,
        ref=REF,
        name="support-triage",
        because=Because.DESIRED_STATE,
        reason="see #412",
        is_first_attempt=is_first_attempt,
    )


def undone(verb: Verb, *ages: timedelta) -> tuple[Receipt, ...]:
    return tuple(a_receipt(verb, age, confirmed_at=NOW - age, outcome=Outcome.PAUSED) for age in ages)


def test_an_intent_opens_a_receipt_before_the_request_is_sent() -> None:
    status = intend(a_past(WANTED), an_action(), BY_ADA, "--allow-cancel", NOW)

    assert status.open_receipt == Receipt(
        verb=Verb.CANCEL,
        because=Because.DESIRED_STATE,
        reason="see #412",
        origin=BY_ADA,
        requested_at=NOW,
        last_attempt_at=NOW,
        attempts=1,
        approved_by="--allow-cancel",
    )


def test_another_attempt_is_counted_in_the_open_receipt() -> None:
    before = a_past(WANTED, Phase.RUNNING, TAKEN)
    status = intend(before, an_action(is_first_attempt=False), None, None, NOW)

    assert status.receipts == (replace(TAKEN, attempts=2, last_attempt_at=NOW),)


def test_only_the_five_newest_receipts_are_kept() -> None:
    old = tuple(a_receipt(age=hours * HOUR, outcome=Outcome.WITHDRAWN) for hours in range(1, 6))
    status = intend(a_past(WANTED, Phase.RUNNING, *old), an_action(), None, None, NOW)

    assert [receipt.requested_at for receipt in status.receipts] == [NOW - hours * HOUR for hours in range(5)]
    assert status.spent == ()


def test_a_dropped_receipt_is_remembered_as_a_spent_attempt() -> None:
    old = tuple(a_receipt(age=minutes * MINUTE, outcome=Outcome.WITHDRAWN) for minutes in range(1, 6))
    status = intend(a_past(WANTED, Phase.RUNNING, *old), an_action(), None, None, NOW)

    assert [each.requested_at for each in status.spent] == [NOW - 5 * MINUTE]


@pytest.mark.parametrize(
    ("verb", "phase", "outcome"),
    [
        (Verb.CANCEL, Phase.CANCELLED, Outcome.CANCELLED),
        (Verb.CANCEL, Phase.SUCCEEDED, Outcome.SUCCEEDED),
        (Verb.CANCEL, Phase.FAILED, Outcome.FAILED),
        (Verb.CANCEL, Phase.CANCELLING, None),
        (Verb.CANCEL, Phase.RUNNING, None),
        (Verb.CANCEL, Phase.UNKNOWN, None),
        (Verb.CANCEL, Phase.PAUSED, None),
        (Verb.PAUSE, Phase.PAUSED, Outcome.PAUSED),
        (Verb.PAUSE, Phase.PAUSING, None),
        (Verb.PAUSE, Phase.RUNNING, None),
        (Verb.PAUSE, Phase.ABSENT, None),
        (Verb.PAUSE, Phase.FAILED, Outcome.FAILED),
        (Verb.RESUME, Phase.RUNNING, Outcome.RUNNING),
        (Verb.RESUME, Phase.QUEUED, Outcome.RUNNING),
        (Verb.RESUME, Phase.VALIDATING_FILES, Outcome.RUNNING),
        (Verb.RESUME, Phase.PAUSED, None),
    ],
)
def test_only_an_observed_matching_or_terminal_phase_closes_a_receipt(
    verb: Verb, phase: Phase, outcome: Outcome | None
) -> None:
    status = a_past(WANTED, Phase.RUNNING, a_receipt(verb, HOUR, accepted_at=NOW - HOUR))
    (receipt,) = confirm(status, phase, NOW, MINUTE)

    assert (receipt.outcome, receipt.confirmed_at) == (outcome, NOW if outcome else None)


@pytest.mark.parametrize(
    ("attempts", "refusals", "is_ours"), [(1, 0, True), (1, 1, False), (2, 1, True), (2, 2, False)]
)
def test_an_end_confirms_a_receipt_unless_every_attempt_was_refused(
    attempts: int,
    refusals: int,
    is_ours: bool,  # noqa: FBT001
) -> None:
    asked = replace(ASKED, attempts=attempts, refusals=refusals)
    (ended,) = confirm(a_past(WANTED, Phase.RUNNING, asked), Phase.CANCELLED, NOW, MINUTE)
    withdrawn = withdraw((asked,), None)

    assert (ended.outcome, ended.confirmed_at) == (Outcome.CANCELLED, NOW if is_ours else None)
    assert newest_cancel((ended,)) == (ended if is_ours else None)
    assert newest_cancel(withdrawn) == (withdrawn[0] if is_ours else None)


@pytest.mark.parametrize("is_refused", [True, False])
def test_a_job_that_is_cancelling_after_a_refused_cancel_is_cancelled_elsewhere(is_refused: bool) -> None:  # noqa: FBT001
    to_run = a_subject("running")
    last = a_past(to_run, Phase.RUNNING, replace(ASKED, refusals=int(is_refused)))
    status = decide(to_run, a_look(Phase.CANCELLING), last, NOW).status

    assert status.ready.reason is (Reason.CANCELLING_ELSEWHERE if is_refused else Reason.CANCEL_PENDING)


def test_a_closed_receipt_is_not_changed() -> None:
    closed = replace(TAKEN, outcome=Outcome.WITHDRAWN)

    assert confirm(a_past(WANTED, Phase.RUNNING, closed), Phase.CANCELLED, NOW, MINUTE) == (closed,)
    assert confirm(None, Phase.CANCELLED, NOW, MINUTE) == ()


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_two_absences_an_interval_apart_after_an_accepted_cancel_mean_gone(edge: timedelta, where: str) -> None:
    last = a_past(WANTED, Phase.ABSENT, TAKEN, age=WANTED.interval + edge)
    status = decide(WANTED, ABSENT, last, NOW).status
    is_gone = where != "just before"

    assert status.receipts[0].outcome is (Outcome.GONE if is_gone else None)
    assert status.is_ready == is_gone
    assert not status.final, "a job may exist under another key, so its absence is not final"


def test_one_absence_is_not_enough_for_gone_even_a_day_after_the_cancel() -> None:
    status = decide(WANTED, ABSENT, a_past(WANTED, Phase.RUNNING, TAKEN, age=DAY), NOW).status

    assert (status.is_ready, status.ready.reason) == (False, Reason.CANCEL_PENDING)


def test_absences_after_an_unaccepted_cancel_mean_job_vanished() -> None:
    status = decide(WANTED, ABSENT, a_past(WANTED, Phase.ABSENT, ASKED, age=DAY), NOW).status

    assert (status.is_stalled, status.ready.reason, status.final) == (True, Reason.JOB_VANISHED, False)


def test_a_gone_job_that_is_observed_running_again_is_cancelled_again() -> None:
    gone = decide(WANTED, ABSENT, a_past(WANTED, Phase.ABSENT, TAKEN, age=HOUR), NOW).status
    back = decide(WANTED, a_look(), gone, NOW + MINUTE)

    assert gone.is_ready
    assert not back.status.is_ready
    assert back.status.open_receipt == TAKEN
    assert back.action is not None
    assert not decide(WANTED, ABSENT, back.status, NOW + HOUR).status.is_ready


FOR_LIMIT = replace(ASKED, because=Because.LIMIT_REACHED, reason="maxAge 1h")
GONE_FOR_LIMIT = replace(FOR_LIMIT, accepted_at=NOW - HOUR, confirmed_at=NOW, outcome=Outcome.GONE)


@pytest.mark.parametrize(
    ("receipts", "is_still_wanted", "limit"),
    [
        pytest.param((FOR_LIMIT,), True, "maxAge 1h", id="open"),
        pytest.param((FOR_LIMIT,), False, None, id="open, and the spec has changed"),
        pytest.param((replace(FOR_LIMIT, refusals=1),), True, "maxAge 1h", id="open, and refused so far"),
        pytest.param((GONE_FOR_LIMIT,), False, "maxAge 1h", id="the job is gone for it"),
        pytest.param((replace(FOR_LIMIT, outcome=Outcome.WITHDRAWN),), True, None, id="withdrawn"),
        pytest.param((ASKED,), True, None, id="requested by the spec"),
        pytest.param((), True, None, id="never asked for"),
    ],
)
def test_a_limit_applies_while_its_cancel_is_open_and_desired_or_the_job_is_gone(
    receipts: tuple[Receipt, ...],
    is_still_wanted: bool,  # noqa: FBT001
    limit: str | None,
) -> None:
    assert limit_of_cancel(receipts, is_still_wanted=is_still_wanted) == limit


def test_a_spec_that_no_longer_desires_a_cancel_withdraws_its_receipt() -> None:
    asked = carried_out(WANTED, a_look(), None, NOW)
    running = a_subject("running")
    status = decide(running, a_look(), asked, NOW + MINUTE)
    again = carried_out(WANTED, a_look(), status.status, NOW + HOUR)

    assert (status.action, status.status.receipts[0].outcome) == (None, Outcome.WITHDRAWN)
    assert [receipt.outcome for receipt in again.receipts] == [None, Outcome.WITHDRAWN]
    assert again.receipts[0].requested_at == NOW + HOUR


def test_only_an_open_receipt_for_another_change_is_withdrawn() -> None:
    closed = replace(TAKEN, outcome=Outcome.GONE)

    assert withdraw((ASKED, closed), Verb.CANCEL) == (ASKED, closed)
    assert withdraw((ASKED, closed), Verb.PAUSE) == (replace(ASKED, outcome=Outcome.WITHDRAWN), closed)
    assert withdraw((ASKED, closed), None) == (replace(ASKED, outcome=Outcome.WITHDRAWN), closed)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=WHERE)
def test_three_reversals_within_a_day_stop_further_requests(edge: timedelta, where: str) -> None:
    receipts = undone(Verb.PAUSE, HOUR, 2 * HOUR, DAY + edge)
    decision = decide(a_subject("paused"), a_look(), a_past(a_subject("paused"), Phase.PAUSED, *receipts), NOW)
    is_stopped = where == "just before"

    assert is_contested(receipts, Verb.PAUSE, NOW) == is_stopped
    assert (decision.action is None) == is_stopped
    assert (decision.status.ready.reason is Reason.CONTESTED) == is_stopped


@pytest.mark.parametrize(
    "receipts",
    [
        undone(Verb.PAUSE, HOUR, 2 * HOUR),
        (*undone(Verb.PAUSE, HOUR, 2 * HOUR), *undone(Verb.RESUME, 3 * HOUR), *undone(Verb.PAUSE, 4 * HOUR)),
        (a_receipt(Verb.PAUSE, HOUR, outcome=Outcome.WITHDRAWN), *undone(Verb.PAUSE, HOUR, HOUR, HOUR)),
    ],
    ids=["only two", "the spec itself went to and fro", "the newest was withdrawn"],
)
def test_a_change_is_not_contested_without_three_consecutive_reversals(receipts: tuple[Receipt, ...]) -> None:
    assert not is_contested(receipts, Verb.PAUSE, NOW)


def test_repeated_reversals_keep_only_the_five_newest_receipts() -> None:
    subject = a_subject("paused")
    status, now = a_past(subject), NOW
    for _ in range(8):
        for phase in (Phase.RUNNING, Phase.PAUSED):
            now += 9 * HOUR
            status = carried_out(subject, a_look(phase, now), status, now)

    assert len(status.receipts) == 5
    assert all(receipt.outcome is Outcome.PAUSED for receipt in status.receipts)
    assert status.ready.reason is Reason.AS_DESIRED
    assert now - status.receipts[0].requested_at == 9 * HOUR


@pytest.mark.parametrize(("attempts", "confirmed_at"), [(1, None), (2, NOW)])
def test_an_end_shown_by_a_refusal_is_confirmed_only_after_an_earlier_attempt(
    attempts: int, confirmed_at: datetime | None
) -> None:
    status = a_past(WANTED, Phase.RUNNING, replace(ASKED, attempts=attempts))
    (receipt,) = confirm(status, Phase.CANCELLED, NOW, MINUTE, is_refused=True)

    assert (receipt.outcome, receipt.confirmed_at) == (Outcome.CANCELLED, confirmed_at)


def test_another_attempt_does_not_change_older_receipts() -> None:
    old = a_receipt(Verb.PAUSE, DAY, outcome=Outcome.PAUSED, confirmed_at=NOW - DAY)
    status = intend(a_past(WANTED, Phase.RUNNING, ASKED, old), an_action(), None, None, NOW)

    assert status.receipts == (replace(ASKED, attempts=ASKED.attempts + 1, last_attempt_at=NOW), old)
