"""How a change request handles bugs, disk errors and jobs that were observed only in a list."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import RequestGroup
from reconciler.controller.send_request import request_change
from reconciler.core.receipts import intend
from reconciler.errors import Delivered, TransientError
from reconciler.model.action import Progress
from reconciler.model.action_record import ActionRecord, PassEvent, ReceiptClosed, RequestEnded, RequestStarted
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
from tests.support.subjects import HOUR, a_receipt
from tests.unit.test_send_request import CANCEL, SingleRequest


def test_a_bug_in_a_provider_type_leaves_the_request_unanswered_and_is_reported() -> None:
    request = SingleRequest()
    request.account.broken[CANCEL] = KeyError("status")
    done = request.send()

    assert done.answer is not None
    assert done.answer.progress is Progress.UNANSWERED
    assert [each.attempts for each in done.status.receipts] == [1]
    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: KeyError in read_only_account.py")


def test_a_bug_in_an_event_callback_leaves_the_intent_open_and_is_reported_for_the_job() -> None:
    request = SingleRequest()
    done = request.send(notify=raise_a_bug)
    (status,) = request.world.statuses.jobs.values()

    assert done.status == status
    assert status.open_receipt is not None
    assert done.answer is not None
    assert done.answer.progress is Progress.ACCEPTED
    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: ZeroDivisionError")


def test_a_bug_in_an_event_callback_about_a_job_that_has_ended_is_reported_for_that_job() -> None:
    asked_before = replace(a_case(a_spec()).decision.status, receipts=(a_receipt(age=HOUR),))
    request = SingleRequest(an_account(phase=Phase.FAILED), a_case(a_spec(), last=asked_before, is_by_row=True))

    def raise_at_the_end(event: PassEvent) -> None:
        if isinstance(event, ReceiptClosed):
            raise ZeroDivisionError

    done = request.send(notify=raise_at_the_end)

    assert request.account.changes == []
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
def test_an_audit_log_write_error_is_reported_and_the_outcome_is_kept(error: Exception, said: str) -> None:
    def refuse(_: ActionRecord) -> None:
        raise error

    request = SingleRequest()
    done = request.send(audit=refuse)
    (status,) = request.world.statuses.jobs.values()

    assert status.receipts[0].accepted_at == NOW
    assert len(done.errors) == 1
    assert done.errors[0].startswith(f"support-triage: the audit log could not be written: {said}")


def test_a_request_is_sent_without_an_audit_log() -> None:
    request = SingleRequest()
    done = request.send(audit=None)

    assert request.account.changes == [CANCEL]
    assert done.errors == ()


def test_a_request_aborted_at_process_exit_is_audited_and_its_intent_stays_open() -> None:
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


def test_a_failed_status_write_after_a_response_is_reported_with_the_response() -> None:
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


def test_a_job_observed_only_in_a_list_is_retrieved_before_its_cancel() -> None:
    request = SingleRequest(case=a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123", CANCEL]
    assert done.status.receipts[0].accepted_at == NOW
    assert not done.case.is_by_row


def test_a_listed_job_is_not_cancelled_if_its_retrieve_shows_it_finished() -> None:
    request = SingleRequest(an_account(phase=Phase.FAILED), a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.answer is None
    assert done.status.phase is Phase.FAILED
    assert done.status.receipts == ()


def test_a_listed_job_is_not_cancelled_if_its_retrieve_does_not_find_it() -> None:
    request = SingleRequest(an_account("ftjob-other"), a_case_by_row())
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.case.unobserved is not None
    assert done.case.unobserved.reason is Reason.OBSERVATION_INCOMPLETE


def test_a_listed_job_is_not_cancelled_if_its_retrieve_fails() -> None:
    request = SingleRequest(case=a_case_by_row())
    request.account.broken["ftjob-abc123"] = TransientError("no answer", delivered=Delivered.UNKNOWN)
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert done.case.unobserved is not None
    assert done.case.unobserved.message == "no answer"
    assert done.errors == ()


def test_a_bug_during_the_retrieve_is_reported_for_the_job_and_no_cancel_is_sent() -> None:
    request = SingleRequest(case=a_case_by_row())
    request.account.broken["ftjob-abc123"] = ZeroDivisionError()
    done = request.send()

    assert request.account.asked == ["ftjob-abc123"]
    assert len(done.errors) == 1
    assert done.errors[0].startswith(
        "support-triage: a bug in the provider type: ZeroDivisionError in read_only_account.py"
    )


def test_a_bug_while_the_account_is_opened_is_reported_and_leaves_no_receipt() -> None:
    request = SingleRequest(case=a_case_by_row())
    action = request.case.decision.action
    assert action is not None
    intent = intend(request.case.decision.status, action, None, None, NOW)

    def closed() -> InMemoryAccount:
        raise LookupError

    done = asyncio.run(
        request_change(request.case, intent, closed, a_context(request.world), RequestGroup(request.world.statuses))
    )

    assert len(done.errors) == 1
    assert done.errors[0].startswith("support-triage: a bug: LookupError in test_send_request_bugs.py")
    assert done.status.receipts == ()
