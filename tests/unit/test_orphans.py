from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.core.orphans import is_outliving, outlive
from reconciler.model.job import Phase, Seen
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus, Outcome, Receipt
from tests.support.build import NOW
from tests.support.conditions_oracle import violations
from tests.support.subjects import ABSENT, DAY, EDGES, HOUR, MINUTE, a_look, a_past, a_receipt, a_subject

ASKED = a_receipt(age=HOUR, accepted_at=NOW - HOUR)


def left(*receipts: Receipt, phase: Phase = Phase.RUNNING, age: timedelta = HOUR) -> JobStatus:
    return a_past(a_subject(), phase, *receipts, age=age)


@pytest.mark.parametrize(("edge", "where"), EDGES, ids=[where for _, where in EDGES])
def test_an_open_request_outlives_its_spec_for_a_day(edge: timedelta, where: str) -> None:
    assert is_outliving(left(a_receipt(age=DAY + edge)), NOW) == (where == "just before")


@pytest.mark.parametrize("outcome", list(Outcome))
def test_a_status_without_an_open_request_goes_with_its_spec(outcome: Outcome) -> None:
    assert not is_outliving(left(replace(ASKED, outcome=outcome)), NOW)
    assert not is_outliving(left(), NOW)


@pytest.mark.parametrize("look", [a_look(Phase.RUNNING), a_look(Phase.CANCELLING), a_look(Phase.UNKNOWN), ABSENT])
def test_the_job_of_a_deleted_spec_is_looked_at_and_nothing_is_asked(look: Seen) -> None:
    status = outlive(left(ASKED), look, NOW)

    assert status.open_receipt == ASKED
    assert (status.is_reconciling, status.ready.reason) == (True, Reason.SPEC_DELETED)
    assert violations(status) == []


@pytest.mark.parametrize("phase", [Phase.CANCELLED, Phase.SUCCEEDED, Phase.FAILED])
def test_a_look_that_shows_its_end_confirms_the_request(phase: Phase) -> None:
    status = outlive(left(ASKED), a_look(phase), NOW)

    assert (status.open_receipt, status.receipts[0].outcome) == (None, Outcome(phase.value))
    assert not is_outliving(status, NOW)


def test_two_absences_confirm_an_accepted_cancel() -> None:
    status = outlive(left(ASKED, phase=Phase.ABSENT, age=MINUTE), ABSENT, NOW)

    assert status.receipts[0].outcome is Outcome.GONE


def test_looking_again_without_news_changes_nothing() -> None:
    status = outlive(left(ASKED), a_look(), NOW)

    assert outlive(status, a_look(), NOW + HOUR) == status
