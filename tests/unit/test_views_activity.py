"""What is reported about a run while it is running."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.model.action import Action, Progress
from reconciler.model.action_record import (
    AccountAnswered,
    ObservationEnded,
    ObservationStarted,
    PassEvent,
    ReceiptClosed,
    ReceiptOpen,
    RequestEnded,
    RequestStarted,
)
from reconciler.model.job import Unobserved
from reconciler.model.reason import Reason
from reconciler.model.status import Because, Outcome, Verb
from reconciler.views.activity import Activity
from tests.support.build import ACCOUNT, NOW
from tests.support.subjects import REF, a_receipt

CANCEL = Action(
    verb=Verb.CANCEL, ref=REF, name="one", because=Because.DESIRED_STATE, reason=None, is_first_attempt=True
)
BEGAN = ObservationStarted(account=ACCOUNT, name="main", jobs=3)
SEEN = ObservationEnded(account=ACCOUNT, name="main")
AWAY = replace(SEEN, unobserved=Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "cannot connect"))
OPEN = ReceiptOpen("one", a_receipt())
CLOSED = ReceiptClosed("one", replace(a_receipt(), confirmed_at=NOW, outcome=Outcome.CANCELLED))


def told(*events: PassEvent) -> tuple[list[str], Activity]:
    activity = Activity("reading the specs")
    return [news.message for event in events if (news := activity.record(event)) is not None], activity


@pytest.mark.parametrize(
    ("events", "lines"),
    [
        ([RequestStarted(CANCEL), RequestEnded(CANCEL, Progress.ACCEPTED, "")], ["one: cancel sent"]),
        ([CLOSED], ["one: cancel confirmed: cancelled"]),
        ([BEGAN, SEEN], []),
        ([AWAY, AWAY], ["main: cannot be observed: cannot connect"]),
        ([AWAY, SEEN, SEEN], ["main: cannot be observed: cannot connect", "main: observed again"]),
        ([AWAY, replace(SEEN, has_observed=False)], ["main: cannot be observed: cannot connect"]),
    ],
)
def test_an_event_is_reported_as_a_line_only_if_it_is_new(events: list[PassEvent], lines: list[str]) -> None:
    assert told(*events)[0] == lines


@pytest.mark.parametrize("progress", sorted(set(Progress) - {Progress.ACCEPTED}))
def test_the_outcome_of_a_request_that_was_not_accepted_is_reported_during_the_run(progress: Progress) -> None:
    lines, activity = told(RequestStarted(CANCEL), RequestEnded(CANCEL, progress, "HTTP 500"))

    assert len(lines) == 2
    assert lines[1].startswith("one: cancel ")
    assert activity.reported == {"one"}


@pytest.mark.parametrize(
    ("events", "line"),
    [
        ([], "12s: reading the specs"),
        ([BEGAN, AccountAnswered(ACCOUNT)], "12s: observing main (3 jobs, 1 response so far)"),
        ([RequestStarted(CANCEL)], "12s: sent, no response yet: cancel of one"),
        (
            [RequestStarted(CANCEL), RequestEnded(CANCEL, Progress.ACCEPTED, "")],
            "12s: not confirmed yet: cancel of one",
        ),
        ([RequestStarted(CANCEL), RequestEnded(CANCEL, Progress.ACCEPTED, ""), CLOSED], "12s: reading the specs"),
        ([BEGAN, SEEN], "12s: finishing the pass"),
        ([BEGAN, OPEN, SEEN], "12s: not confirmed yet: cancel of one"),
        ([BEGAN, OPEN, SEEN, BEGAN, CLOSED, SEEN], "12s: finishing the pass"),
        ([AWAY], "12s: not observed: main"),
    ],
)
def test_the_waiting_line_contains_what_is_pending_and_the_elapsed_time(events: list[PassEvent], line: str) -> None:
    assert told(*events)[1].waiting_text(12.7) == line


def test_an_interrupt_reports_sent_requests_open_receipts_and_unobserved_accounts() -> None:
    _, activity = told(RequestStarted(CANCEL), AWAY)

    assert (
        activity.interrupted_text(3) == "Interrupted after 3s: 1 request sent (one); 1 open (one); not observed: main"
    )


def test_an_interrupt_does_not_report_a_withdrawn_request_as_confirmed() -> None:
    withdrawn = replace(CLOSED, receipt=replace(CLOSED.receipt, confirmed_at=None, outcome=Outcome.WITHDRAWN))

    _, activity = told(RequestStarted(CANCEL), RequestEnded(CANCEL, Progress.ACCEPTED, ""), withdrawn)

    assert activity.interrupted_text(3) == "Interrupted after 3s: 1 request sent (one)"
