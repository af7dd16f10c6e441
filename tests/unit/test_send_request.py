"""How one change is requested, and which status each response leaves on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from reconciler.controller.applied import Applied
from reconciler.controller.plan import JobPlan
from reconciler.controller.request_group import RequestGroup
from reconciler.controller.send_request import request_change
from reconciler.core.receipts import intend
from reconciler.errors import Delivered, Kind, PermanentError, ProviderError, TransientError
from reconciler.model.action import Progress
from reconciler.model.action_record import ActionRecord, PassEvent, RequestEnded, RequestStarted
from reconciler.model.batch_job import BatchJob
from reconciler.model.job import Accepted, AlreadyOver, JobRef, Phase
from reconciler.model.reason import Reason
from reconciler.model.status import Origin, Outcome
from reconciler.ports import Rate
from reconciler.throttle import Throttle
from tests.support.build import NOW, a_job, a_spec
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    PausableAccount,
    a_case,
    a_context,
    a_revision,
    a_world,
    an_account,
)
from tests.support.subjects import MINUTE
from tests.unit.test_observation_order import NO_ANSWER, past_of

CANCEL = "cancel ftjob-abc123"
COMMIT = Origin("4be1f0c", "Ada")


@dataclass
class SingleRequest:
    """One request in its own test world, with the events and audit records that it causes."""

    account: InMemoryAccount = field(default_factory=an_account)
    case: JobPlan = field(default_factory=lambda: a_case(a_spec()))
    world: World = field(init=False)
    events: list[PassEvent] = field(default_factory=list)
    records: list[ActionRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Create the world that contains the spec of the case."""
        self.world = a_world(self.account, a_spec(**_keys(self.case)))

    async def run(self, **rest: Any) -> Applied:
        """Write the intent, then make the request."""
        action = self.case.decision.action
        assert action is not None
        intent = intend(self.case.decision.status, action, COMMIT, None, NOW)
        self.world.statuses.write(intent, durable=True)
        usual = {"notify": self.events.append, "audit": self.records.append}
        context = a_context(self.world, **usual | rest)
        return await request_change(self.case, intent, lambda: self.account, context, RequestGroup(self.world.statuses))

    def send(self, **rest: Any) -> Applied:
        """Make the request and return its result."""
        return asyncio.run(self.run(**rest))


def _keys(case: JobPlan) -> dict[str, Any]:
    return {"jobId": case.subject.ref.id, "desiredState": str(case.subject.spec.desired_state)}


def test_if_a_listed_job_cannot_be_retrieved_the_status_says_what_the_list_showed() -> None:
    case = a_case(a_spec(), Phase.RUNNING, past_of(a_spec(), Phase.QUEUED), is_by_row=True)
    account = an_account()
    account.broken["ftjob-abc123"] = NO_ANSWER
    request = SingleRequest(account, case)
    request.send()
    (status,) = request.world.statuses.jobs.values()

    assert request.account.changes == []
    assert (status.phase, status.receipts) == (Phase.RUNNING, ())


def test_an_accepted_cancel_is_stored_as_accepted_but_still_open() -> None:
    request = SingleRequest()
    done = request.send()
    (status,) = request.world.statuses.jobs.values()

    assert request.account.changes == [CANCEL]
    assert done.status == status
    assert status.receipts[0].accepted_at == NOW
    assert status.receipts[0].is_open
    assert status.ready.reason is Reason.CANCEL_PENDING
    assert "support-triage" in request.world.statuses.durable


def test_a_request_is_reported_at_its_start_and_end_and_audited_with_its_commit() -> None:
    request = SingleRequest()
    request.send()
    action = request.case.decision.action
    assert action is not None

    assert request.events == [RequestStarted(action), RequestEnded(action, Progress.ACCEPTED, "")]
    assert request.records == [
        ActionRecord(at=NOW, action=action, file="bots.yaml", origin=COMMIT, progress=Progress.ACCEPTED, message="")
    ]


@pytest.mark.parametrize(
    ("wanted", "phase", "asked", "becomes"),
    [
        ("paused", Phase.RUNNING, "pause ftjob-abc123", "paused"),
        ("running", Phase.PAUSED, "resume ftjob-abc123", "running"),
    ],
)
def test_an_account_that_supports_pause_receives_pause_and_resume_requests(
    wanted: str, phase: Phase, asked: str, becomes: str
) -> None:
    account = PausableAccount(an_account(phase=phase).jobs)
    request = SingleRequest(account, a_case(a_spec(desiredState=wanted), phase))
    done = request.send()

    assert account.changes == [asked]
    assert account.jobs["ftjob-abc123"].phase == becomes
    assert done.answer is not None
    assert done.answer.progress is Progress.ACCEPTED


def test_an_account_that_cannot_pause_receives_no_request_and_no_attempt_is_recorded() -> None:
    request = SingleRequest(case=a_case(a_spec(desiredState="paused")))
    done = request.send()

    assert request.account.asked == []
    assert done.answer is not None
    assert (done.answer.progress, done.answer.message) == (
        Progress.NOT_DELIVERED,
        "the provider type cannot pause a job",
    )
    assert done.status.receipts == ()


@pytest.mark.parametrize(
    ("error", "progress", "attempts", "reason"),
    [
        (
            TransientError("429", delivered=Delivered.NO, retry_after_s=7.0),
            Progress.NOT_DELIVERED,
            0,
            Reason.CANCEL_PENDING,
        ),
        (TransientError("no answer", delivered=Delivered.UNKNOWN), Progress.UNANSWERED, 1, Reason.CANCEL_PENDING),
        (PermanentError("401", kind=Kind.DENIED), Progress.FORBIDDEN, 1, Reason.ACTION_FORBIDDEN),
        (PermanentError("403", kind=Kind.FORBIDDEN), Progress.FORBIDDEN, 1, Reason.ACTION_FORBIDDEN),
        (PermanentError("not now", kind=Kind.REFUSED), Progress.REJECTED, 1, Reason.CANCEL_PENDING),
        (PermanentError("no key", kind=Kind.MISSING), Progress.NOT_DELIVERED, 0, Reason.CANCEL_PENDING),
        (PermanentError("no route", kind=Kind.UNREACHABLE), Progress.NOT_DELIVERED, 0, Reason.CANCEL_PENDING),
        (PermanentError("a page", kind=Kind.INVALID), Progress.UNANSWERED, 1, Reason.CANCEL_PENDING),
    ],
)
def test_a_provider_error_uses_an_attempt_unless_the_request_was_not_delivered(
    error: ProviderError, progress: Progress, attempts: int, reason: Reason
) -> None:
    request = SingleRequest()
    request.account.broken[CANCEL] = error
    done = request.send()
    (status,) = request.world.statuses.jobs.values()

    assert done.answer is not None
    assert done.answer.progress is progress
    assert done.answer.message == str(error)
    assert done.answer.retry_after_s == getattr(error, "retry_after_s", None)
    assert [each.attempts for each in status.receipts] == [1] * attempts
    assert status.ready.reason is reason
    assert all(each.accepted_at is None for each in status.receipts)
    assert done.errors == ()


def test_a_cancel_rejected_for_a_finished_job_closes_the_receipt_with_its_outcome() -> None:
    request = SingleRequest(an_account(phase=Phase.SUCCEEDED))
    ended = a_job(Phase.SUCCEEDED, finished_at=NOW - MINUTE, fine_tuned_model="ft:triage", as_of=NOW)
    request.account.jobs["ftjob-abc123"] = ended
    done = request.send()

    assert done.case.seen == ended
    assert done.answer is not None
    assert done.answer.progress is Progress.ALREADY_OVER
    assert done.answer.message == "refused: already succeeded"
    assert done.status.ready.reason is Reason.FINISHED_BEFORE_CANCEL
    assert [(each.outcome, each.accepted_at) for each in done.status.receipts] == [(Outcome.SUCCEEDED, None)]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"desiredState": "running"}, "wants something else"),
        ({"jobId": "ftjob-other"}, "names another job"),
        (None, "is gone"),
    ],
    ids=lambda each: each if isinstance(each, str) else "",
)
def test_no_request_is_sent_for_a_spec_that_has_changed_or_was_deleted(change: dict[str, Any] | None, why: str) -> None:
    del why
    request = SingleRequest()
    request.world.specs.revision = a_revision(*([a_spec(**change)] if change else []))
    done = request.send()

    assert request.account.asked == []
    assert request.events == []
    assert request.records == []
    assert done.answer is not None
    assert (done.answer.progress, done.answer.message) == (
        Progress.OVERTAKEN,
        "the change was no longer wanted or allowed when it was about to be sent",
    )
    assert [each.receipts for each in request.world.statuses.jobs.values()] == [()]


def test_no_request_is_sent_if_the_kind_of_the_spec_has_changed() -> None:
    request = SingleRequest()
    written = a_spec()
    request.world.specs.revision = a_revision(
        BatchJob.model_validate({**written.model_dump(by_alias=True, exclude_unset=True), "kind": "BatchJob"})
    )
    done = request.send()

    assert request.account.asked == []
    assert done.answer is not None
    assert done.answer.progress is Progress.OVERTAKEN


def test_a_request_is_sent_if_only_the_labels_of_its_spec_have_changed() -> None:
    request = SingleRequest()
    request.world.specs.revision = a_revision(a_spec(labels={"team": "support"}))
    request.send()

    assert request.account.changes == [CANCEL]


def test_no_request_is_sent_after_settings_have_changed() -> None:
    request = SingleRequest()
    request.world.specs.is_changed = True
    request.send()

    assert request.account.asked == []


def test_no_request_is_sent_if_the_newest_pass_forbids_it() -> None:
    request = SingleRequest()
    request.send(holds=lambda subject: subject.name != "support-triage")

    assert request.account.asked == []


@dataclass
class ThrottledAccount(InMemoryAccount):
    """An account whose cancel first calls each function in `before`, and makes one request after each call."""

    before: list[Callable[[], object]] = field(default_factory=list)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Make these requests, then cancel the job."""
        gate = Throttle(Rate())
        for happens in self.before:
            happens()
            async with gate.acquire():
                self.asked.append("a request")
        return await super().cancel_job(ref)


class PausedAccount(InMemoryAccount):
    """An account whose provider requested a pause, so that no request may be sent."""

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Cancel a job, if the throttle permits the request."""
        gate = Throttle(Rate())
        gate.pause_for(30.0)
        async with gate.acquire():
            return await super().cancel_job(ref)


def test_a_request_stopped_by_the_throttle_is_reported_but_not_audited() -> None:
    request = SingleRequest(PausedAccount(an_account().jobs))
    done = request.send()

    assert request.account.asked == []
    assert [type(each) for each in request.events] == [RequestEnded]
    assert request.records == []
    assert done.answer is not None
    assert done.answer.progress is Progress.NOT_DELIVERED
    assert done.answer.retry_after_s is not None
    assert done.status.receipts == ()


def test_a_queued_request_is_not_sent_if_its_spec_changes() -> None:
    account = ThrottledAccount(an_account().jobs)
    request = SingleRequest(account)
    account.before = [lambda: replace_specs(request)]
    done = request.send()

    assert account.asked == []
    assert done.answer is not None
    assert done.answer.progress is Progress.OVERTAKEN
    assert done.status.receipts == ()
    assert request.events == []


def test_a_change_superseded_after_its_first_request_is_recorded_as_unanswered() -> None:
    account = ThrottledAccount(an_account().jobs)
    request = SingleRequest(account)
    account.before = [lambda: None, lambda: replace_specs(request)]
    done = request.send()

    assert account.asked == ["a request"]
    assert done.answer is not None
    assert done.answer.progress is Progress.UNANSWERED
    assert [each.attempts for each in done.status.receipts] == [1]
    assert [type(each) for each in request.events] == [RequestStarted, RequestEnded]


def test_a_cancel_that_takes_several_requests_is_reported_as_started_once() -> None:
    account = ThrottledAccount(an_account().jobs, before=[lambda: None, lambda: None])
    request = SingleRequest(account)
    request.send()

    assert account.asked == ["a request", "a request", CANCEL]
    assert [type(each) for each in request.events] == [RequestStarted, RequestEnded]


def replace_specs(request: SingleRequest) -> None:
    request.world.specs.revision = a_revision(a_spec(desiredState="running"))
