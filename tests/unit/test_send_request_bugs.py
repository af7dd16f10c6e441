"""What is made of bugs, of disks that fail, and of jobs that only a list has shown, while a change is requested."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.plan import JobPlan
from reconciler.controller.send_request import request_change
from reconciler.core.receipts import intend
from reconciler.errors import Delivered, TransientError
from reconciler.model.action import Progress
from reconciler.model.action_record import ActionRecord, PassEvent, RequestEnded, RequestStarted
from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from tests.support.build import NOW, a_spec
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    PickyStatuses,
    a_case,
    a_context,
    an_account,
)
from tests.unit.test_send_request import CANCEL, SingleRequest


def test_a_bug_in_an_adapter_counts_as_a_request_without_an_answer_and_is_an_error_of_the_job() -> None:
    request = SingleRequest()
    request.account.broken[CANCEL] = KeyError("status")
    done = request.send()

    assert done.answer is not None
    assert done.answer.progress is Progress.UNANSWERED
    assert [each.attempts for each in done.status.receipts] == [1]
    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: KeyError in read_only_account.py")


def test_a_bug_of_ours_leaves_the_intent_open_and_is_an_error_of_the_job() -> None:
    request = SingleRequest()
    done = request.send(notify=raise_a_bug)
    (status,) = request.world.statuses.jobs.values()

    assert done.status == status
    assert status.open_receipt is not None
    assert done.answer is not None
    assert done.answer.progress is Progress.ACCEPTED
    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: ZeroDivisionError")


def raise_a_bug(event: PassEvent) -> None:
    if isinstance(event, RequestEnded):
        raise ZeroDivisionError


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device", "audit.jsonl"), "No space left on device: audit.jsonl"),
        (KeyError(), "a bug: KeyError"),
    ],
    ids=["a full disk", "a bug"],
)
def test_an_audit_that_cannot_be_written_is_an_error_and_what_came_of_the_request_is_kept(
    error: Exception, said: str
) -> None:
    def refuse(_: ActionRecord) -> None:
        raise error

    request = SingleRequest()
    done = request.send(audit=refuse)
    (status,) = request.world.statuses.jobs.values()

    assert status.receipts[0].accepted_at == NOW
    assert len(done.errors) == 1
    assert done.errors[0].startswith(f"support-triage: the audit log could not be written: {said}")


def test_without_an_audit_the_request_is_made_all_the_same() -> None:
    request = SingleRequest()
    done = request.send(audit=None)

    assert request.account.changes == [CANCEL]
    assert done.errors == ()


def test_a_request_that_is_abandoned_at_the_end_of_the_process_is_recorded_and_its_intent_stays_open() -> None:
    request = SingleRequest()
    request.account.takes_s[CANCEL] = 3600.0

    async def main() -> None:
        task = asyncio.ensure_future(request.run())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (status,) = request.world.statuses.jobs.values()

    assert [(each.progress, each.message) for each in request.records] == [
        (Progress.UNANSWERED, "abandoned, because the process was ending")
    ]
    assert status.open_receipt is not None
    assert status.open_receipt.accepted_at is None


def test_an_answer_that_cannot_be_written_is_an_error_beside_the_answer() -> None:
    request = SingleRequest()
    store = PickyStatuses()

    def fill_the_disk(event: PassEvent) -> None:
        if isinstance(event, RequestStarted):
            store.refuse = lambda _: OSError(28, "No space left on device", "x.yaml")

    request.world.statuses = store
    done = request.send(notify=fill_the_disk)
    (status,) = store.jobs.values()

    assert done.status.receipts[0].accepted_at == NOW
    assert status.receipts[0].accepted_at is None
    assert done.errors == ("support-triage: the status could not be written: No space left on device: x.yaml",)


def a_case_by_row() -> JobPlan:
    return a_case(a_spec(), is_by_row=True)


def test_a_job_that_only_a_list_has_shown_is_retrieved_before_it_is_cancelled() -> None:
    request = SingleRequest(case=a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123", CANCEL]
    assert done.status.receipts[0].accepted_at == NOW
    assert not done.case.is_by_row


def test_a_job_that_its_own_answer_shows_as_over_is_not_cancelled() -> None:
    request = SingleRequest(an_account(phase=Phase.FAILED), a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.answer is None
    assert done.status.phase is Phase.FAILED
    assert done.status.receipts == ()


def test_a_job_that_a_list_shows_and_its_id_does_not_is_not_cancelled() -> None:
    request = SingleRequest(an_account("ftjob-other"), a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.case.unobserved is not None
    assert done.case.unobserved.reason is Reason.OBSERVATION_INCOMPLETE


def test_a_job_that_can_no_longer_be_seen_is_not_cancelled() -> None:
    request = SingleRequest(case=a_case_by_row())
    request.account.broken["ftjob-abc123"] = TransientError("no answer", delivered=Delivered.UNKNOWN)
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.case.unobserved is not None
    assert done.case.unobserved.message == "no answer"
    assert done.errors == ()


def test_a_bug_while_a_job_is_retrieved_is_an_error_of_the_job_and_nothing_is_asked() -> None:
    request = SingleRequest(case=a_case_by_row())
    request.account.broken["ftjob-abc123"] = ZeroDivisionError()
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert len(done.errors) == 1
    assert done.errors[0].startswith(
        "support-triage: a bug in its provider type: ZeroDivisionError in read_only_account.py"
    )


def test_an_account_that_cannot_be_taken_hold_of_is_an_error_of_the_job_and_nothing_is_asked() -> None:
    request = SingleRequest(case=a_case_by_row())
    action = request.case.decision.action
    assert action is not None
    intent = intend(request.case.decision.status, action, None, None, NOW)

    def closed() -> InMemoryAccount:
        raise LookupError

    done = asyncio.run(request_change(request.case, intent, closed, a_context(request.world), asyncio.Semaphore(1)))

    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: LookupError in test_send_request_bugs.py")
    assert done.status.receipts == ()
