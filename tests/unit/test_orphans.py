from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from reconciler.core.orphans import has_recent_request, orphan_status, with_confirmed_phase
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import UNSET, Observed, Phase, Unset
from reconciler.model.reason import Reason
from reconciler.model.spec import render_instant
from reconciler.model.status import HistoryEntry, JobStatus, Outcome, Receipt
from tests.support.build import NOW
from tests.support.conditions_oracle import violations
from tests.support.subjects import ABSENT, DAY, EDGES, HOUR, MINUTE, a_look, a_past, a_receipt, a_subject

ASKED = a_receipt(age=HOUR, accepted_at=NOW - HOUR)


def left(*receipts: Receipt, phase: Phase = Phase.RUNNING, age: timedelta = HOUR) -> JobStatus:
    return a_past(a_subject(), phase, *receipts, age=age)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_an_open_request_of_a_deleted_spec_is_followed_for_a_day(edge: timedelta, where: str) -> None:
    assert has_recent_request(left(a_receipt(age=DAY + edge)), NOW) == (where == "just before")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_deleted_spec_without_an_open_request_is_not_observed(outcome: Outcome) -> None:
    assert not has_recent_request(left(replace(ASKED, outcome=outcome)), NOW)
    assert not has_recent_request(left(), NOW)


def outlived(status: JobStatus, look: Observed | None, now: datetime = NOW) -> JobStatus:
    after = orphan_status(status, look, now)
    assert after is not None
    return after


@pytest.mark.parametrize("look", [a_look(Phase.RUNNING), a_look(Phase.CANCELLING), a_look(Phase.UNKNOWN), ABSENT, None])
def test_a_deleted_spec_with_an_open_request_is_reconciling(look: Observed | None) -> None:
    status = outlived(left(ASKED), look)

    assert status.open_receipt == ASKED
    assert (status.is_reconciling, status.ready.reason) == (True, Reason.SPEC_DELETED)
    assert status.ready.message == "the spec was deleted while a request was open; no further change is requested"
    assert status.ready.last_transition_time == NOW
    assert status.phase is (left().phase if look is None else look.job.phase if look.job else Phase.ABSENT)
    assert violations(status) == []


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.SUCCEEDED, Phase.FAILED])
def test_an_observed_end_confirms_the_request_of_a_deleted_spec(phase: Phase) -> None:
    soon = replace(ASKED, requested_at=NOW - MINUTE)
    status = outlived(left(soon), a_look(phase))

    assert (status.open_receipt, status.receipts[0].outcome) == (None, Outcome(phase.value))
    assert not has_recent_request(status, NOW)
    assert orphan_status(left(ASKED), a_look(phase), NOW) is None


@pytest.mark.parametrize(("finished_at", "phase"), [(UNSET, Phase.CANCELLING), (NOW, Phase.CANCELLED)])
def test_a_cancel_is_confirmed_only_by_an_end_time_if_cancelling_is_hidden(
    finished_at: datetime | Unset, phase: Phase
) -> None:
    hides = Capabilities(confirms=False)
    look = with_confirmed_phase(a_look(Phase.CANCELLED, finished_at=finished_at), left(ASKED), hides)

    assert look.job is not None
    assert look.job.phase is phase


def test_two_absences_confirm_an_accepted_cancel_of_a_deleted_spec() -> None:
    soon = replace(ASKED, requested_at=NOW - MINUTE)
    status = outlived(left(soon, phase=Phase.ABSENT, age=MINUTE), ABSENT)

    assert status.receipts[0].outcome is Outcome.GONE


def test_an_unchanged_observation_keeps_the_status_of_a_deleted_spec_unchanged() -> None:
    status = outlived(left(ASKED), a_look())

    assert orphan_status(status, a_look(), NOW + HOUR) == status


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
@pytest.mark.parametrize(
    ("approved_by", "span"), [(None, HOUR), ("Approve-Cancels 4be1f0c", DAY)], ids=["nobody", "a commit"]
)
def test_a_status_is_kept_as_long_as_the_guard_counts_its_requests(
    edge: timedelta, where: str, approved_by: str | None, span: timedelta
) -> None:
    closed = a_receipt(age=span + edge, outcome=Outcome.CANCELLED, approved_by=approved_by)
    status = orphan_status(left(closed, phase=Phase.CANCELLED), None, NOW)

    assert (status is not None) == (where == "just before")
    if status is not None:
        assert (status.is_ready, status.is_stalled, status.is_reconciling) == (False, False, False)
        assert status.ready.message == (
            f"the spec was deleted; the guard counts its requests until {render_instant(NOW - edge)}"
        )
        assert status.ready.last_transition_time == NOW
        assert violations(status) == []
        assert orphan_status(status, None, NOW) == status


def test_a_status_without_guarded_requests_is_removed_with_its_spec() -> None:
    by_an_operator = a_receipt(age=MINUTE, outcome=Outcome.CANCELLED, approved_by="--allow-cancels 5")

    assert orphan_status(left(), None, NOW) is None
    assert orphan_status(left(by_an_operator), None, NOW) is None


def test_a_known_end_time_is_kept_if_an_observation_omits_it() -> None:
    hides = Capabilities(confirms=False)
    ended = a_past(a_subject(), Phase.CANCELLING, ASKED, finished_at=NOW)
    looks = [
        with_confirmed_phase(a_look(Phase.CANCELLED), status, hides) for status in (ended, replace(ended, job=None))
    ]

    assert [look.job and look.job.phase for look in looks] == [Phase.CANCELLED, Phase.CANCELLING]


def test_a_status_kept_for_the_guard_records_the_deletion_in_its_history() -> None:
    closed = a_receipt(age=MINUTE, outcome=Outcome.CANCELLED)
    before = left(closed, phase=Phase.CANCELLED)
    status = outlived(before, None)

    assert status.history == (HistoryEntry(NOW, Phase.CANCELLED, Reason.SPEC_DELETED), *before.history)
