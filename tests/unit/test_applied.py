"""How a status is written after a decision or a request, and which events are reported."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconciler.controller.applied import disk_error, moment, write
from reconciler.core.settle import RequestOutcome
from reconciler.model.action import Progress
from reconciler.model.action_record import PassEvent, ReceiptClosed, ReceiptOpen
from reconciler.model.job import Phase
from reconciler.model.status import Outcome, Verb
from tests.support.build import NOW, a_spec
from tests.support.in_memory import Statuses, World
from tests.support.in_memory_accounts import PickyStatuses, a_case, a_context
from tests.support.subjects import HOUR, MINUTE, SECOND, a_past, a_receipt, a_subject

OBSERVED = a_spec(desiredState="observed")
ACCEPTED = RequestOutcome(Progress.ACCEPTED)


def test_a_status_without_an_open_request_is_written_without_a_sync() -> None:
    case, world = a_case(OBSERVED), World()
    done = write(case, case.decision.status, a_context(world))

    assert world.statuses.jobs == {"support-triage.yaml": case.decision.status}
    assert world.statuses.durable == set()
    assert done.status == case.decision.status
    assert done.errors == ()


def test_a_status_with_an_open_receipt_is_synced() -> None:
    last = a_past(a_subject(), Phase.RUNNING, a_receipt(accepted_at=NOW - SECOND, age=SECOND))
    case, world = a_case(a_spec(), last=last), World()
    write(case, replace(last, observed_generation=2), a_context(world))

    assert world.statuses.durable == {"support-triage"}


def test_a_status_that_closes_a_receipt_is_synced() -> None:
    last = a_past(a_subject(), Phase.CANCELLING, a_receipt(accepted_at=NOW - MINUTE, age=MINUTE))
    case, world = a_case(a_spec(), Phase.CANCELLED, last), World()
    write(case, case.decision.status, a_context(world))

    assert case.decision.status.open_receipt is None
    assert world.statuses.durable == {"support-triage"}


def test_a_status_after_a_request_is_synced() -> None:
    case, world = a_case(OBSERVED), World()
    done = write(case, case.decision.status, a_context(world), ACCEPTED)

    assert world.statuses.durable == {"support-triage"}
    assert done.answer == ACCEPTED


def test_a_closed_receipt_is_reported_with_its_outcome() -> None:
    last = a_past(a_subject(), Phase.CANCELLING, a_receipt(accepted_at=NOW - MINUTE, age=MINUTE))
    case, world, events = a_case(a_spec(), Phase.CANCELLED, last), World(), list[PassEvent]()
    write(case, case.decision.status, a_context(world, notify=events.append))
    (event,) = events

    assert isinstance(event, ReceiptClosed)
    assert (event.name, event.receipt.outcome) == ("support-triage", Outcome.CANCELLED)


def test_an_unconfirmed_request_of_an_earlier_pass_is_reported_as_open() -> None:
    last = a_past(a_subject(), Phase.CANCELLING, a_receipt(accepted_at=NOW - MINUTE, age=MINUTE))
    case, events = a_case(a_spec(), Phase.CANCELLING, last), list[PassEvent]()
    write(case, case.decision.status, a_context(World(), notify=events.append))
    (event,) = events

    assert isinstance(event, ReceiptOpen)
    assert (event.name, event.receipt.verb) == ("support-triage", Verb.CANCEL)


def test_a_receipt_that_was_closed_earlier_is_not_reported_again() -> None:
    closed = a_receipt(age=HOUR, confirmed_at=NOW - MINUTE, outcome=Outcome.CANCELLED)
    last = a_past(a_subject(), Phase.CANCELLED, closed)
    case, events = a_case(a_spec(), Phase.CANCELLED, last), list[PassEvent]()
    write(case, case.decision.status, a_context(World(), notify=events.append))

    assert events == []


def test_a_closed_receipt_that_was_never_open_in_a_status_is_not_reported() -> None:
    status = a_past(a_subject(), Phase.CANCELLED, a_receipt(confirmed_at=NOW, outcome=Outcome.CANCELLED))
    events: list[PassEvent] = []
    write(a_case(a_spec()), status, a_context(World(), notify=events.append))

    assert events == []


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "x.yaml"), "No space left on device: x.yaml"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError("the disk is gone"), "the disk is gone"),
        (KeyError("a secret"), "a bug: KeyError"),
    ],
)
def test_a_status_write_error_is_reported_for_its_job_and_its_receipt_is_not(error: Exception, said: str) -> None:
    last = a_past(a_subject(), Phase.CANCELLING, a_receipt(accepted_at=NOW - MINUTE, age=MINUTE))
    case, events = a_case(a_spec(), Phase.CANCELLED, last), list[PassEvent]()
    world = World(statuses=PickyStatuses(refuse=lambda _: error))
    done = write(case, case.decision.status, a_context(world, notify=events.append), ACCEPTED)
    (problem,) = done.errors

    assert problem.startswith(f"support-triage: the status could not be written: {said}")
    assert "a secret" not in problem
    assert done.status == case.decision.status
    assert done.answer == ACCEPTED
    assert world.statuses.jobs == {}
    assert events == []


def test_an_internal_error_is_reported_by_its_class_and_a_disk_error_by_its_message() -> None:
    assert disk_error(ValueError("a secret")) == "a bug: ValueError; please report it"
    assert disk_error(PermissionError(13, "Permission denied", "status")) == "Permission denied: status"


def test_a_job_with_an_open_request_is_polled_soon_and_a_final_job_is_not_polled() -> None:
    running, world = a_case(OBSERVED), World()
    over = replace(running.decision.status, phase=Phase.CANCELLED, final=True)
    open_ = replace(running.decision.status, receipts=(a_receipt(),))

    assert write(running, open_, a_context(world)).look_after == SECOND / 2
    assert write(running, over, a_context(world)).look_after is None


def test_a_job_is_polled_at_its_estimated_finish_time() -> None:
    case = a_case(OBSERVED)
    assert case.seen is not None
    finishing = replace(case, seen=replace(case.seen, estimated_finish_at=NOW + 20 * SECOND))

    assert write(finishing, case.decision.status, a_context(World())).look_after == 20 * SECOND


def test_times_are_truncated_to_whole_seconds() -> None:
    world = World(statuses=Statuses())
    world.clock.moment = NOW.replace(microsecond=999_999)

    assert moment(a_context(world)) == NOW
