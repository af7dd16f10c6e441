from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from reconciler.model.job import Phase
from reconciler.model.report import Report
from reconciler.model.status import Outcome
from reconciler.model.transition import closed_since
from tests.support.build import NOW, a_status
from tests.support.reports import a_row
from tests.support.subjects import a_receipt

OPEN = a_status(phase=Phase.RUNNING, final=False, receipts=(a_receipt(),))
CLOSED = replace(OPEN, receipts=(a_receipt(confirmed_at=NOW, outcome=Outcome.CANCELLED),))


def test_transitions_contain_only_the_jobs_whose_status_changed() -> None:
    changed, same = replace(a_row(), name="one", before=OPEN, status=CLOSED), replace(a_row(), name="two")
    same = replace(same, before=same.status)

    assert [each.name for each in Report(rows=(changed, same)).transitions] == ["one"]


def test_a_closed_receipt_is_reported_once() -> None:
    assert closed_since(OPEN, CLOSED) == CLOSED.receipts
    assert closed_since(CLOSED, CLOSED) == ()
    assert closed_since(None, CLOSED) == CLOSED.receipts
    assert closed_since(OPEN, OPEN) == ()


def test_only_the_newly_closed_receipt_is_reported_if_another_was_closed_before() -> None:
    later = a_receipt(requested_at=NOW + timedelta(hours=1), confirmed_at=NOW, outcome=Outcome.GONE)
    after = replace(CLOSED, receipts=(later, *CLOSED.receipts))

    assert closed_since(CLOSED, after) == (later,)


def test_a_first_observation_is_distinguished_from_a_transition_caused_by_a_request() -> None:
    (first,) = Report(rows=(replace(a_row(), before=None, action=None, progress=None),)).transitions
    (request,) = Report(rows=(replace(a_row(), before=OPEN, status=CLOSED),)).transitions

    assert (first.is_first_sight, first.is_of_a_request) == (True, False)
    assert (request.is_first_sight, request.is_of_a_request) == (False, True)
