"""One account's part of a pass: the order of observations and requests, and what prevents them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.account_worker import run_account
from reconciler.controller.assign_work import assign_work
from reconciler.controller.current_specs import CurrentSpecs, current_specs
from reconciler.controller.unobserved import UnobservedTracker
from reconciler.core.change_budget import ChangeBudget
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.action import Progress
from reconciler.model.action_record import ObservationEnded, ObservationStarted, PassEvent
from reconciler.model.job import JobRef, Observed, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import Verb
from tests.support.build import ACCOUNT, NOW, a_job
from tests.support.in_memory import World
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    a_world,
    an_account,
    controlled,
    named_specs,
    subject_of,
)
from tests.support.subjects import MINUTE, a_receipt
from tests.unit.test_account_worker import desired_in, with_an_orphan


@dataclass
class Part:
    """One account's part of one pass, in a world."""

    account: InMemoryAccount
    world: World
    unobserved: UnobservedTracker = field(default_factory=UnobservedTracker)
    events: list[PassEvent] = field(default_factory=list)
    rules: Callable[[CurrentSpecs], CurrentSpecs] = lambda rules: rules
    """Return the specs that are current after the pass has begun."""

    def run(self, **rest: Any) -> AccountOutcome:
        """Run the account's part, and return its outcome."""
        runtime = controlled(self.world, notify=self.events.append, **rest)
        desired = desired_in(runtime)
        rules = current_specs(desired, ChangeBudget(), None)
        work = assign_work(desired, frozenset(), None, runtime)[ACCOUNT]
        return asyncio.run(run_account(work, lambda: self.rules(rules), runtime, 0, self.unobserved))

    @property
    def reasons(self) -> dict[str, Reason]:
        """The reason of the Ready condition in each written status, by name."""
        return {each.name: each.ready.reason for each in self.world.statuses.jobs.values()}


def a_part(*specs: FineTuningJob, account: InMemoryAccount | None = None, **snapshot: Any) -> Part:
    """Return the part of an account in which every job is running."""
    account = account or an_account(*(each.spec.job_id for each in specs))
    return Part(account, a_world(account, *specs, **snapshot))


def progress(outcome: AccountOutcome) -> dict[str, Progress | None]:
    return {each.case.subject.name: each.answer.progress if each.answer else None for each in outcome.done}


def test_an_account_worker_observes_all_jobs_and_cancels_those_that_should_not_run() -> None:
    chat, code = named_specs("chat")[0], named_specs("code", desiredState="running")[0]
    part = a_part(chat, code)
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat", "ftjob-code", "cancel ftjob-chat"]
    assert progress(outcome) == {"chat": Progress.ACCEPTED, "code": None}
    assert part.reasons == {"chat": Reason.CANCEL_PENDING, "code": Reason.AS_DESIRED}
    assert outcome.alias == "openai"
    assert part.events[0] == ObservationStarted(account=ACCOUNT, name="openai", jobs=2)
    assert ObservationEnded(account=ACCOUNT, name="openai") in part.events


def test_a_cancel_is_sent_before_the_other_jobs_are_observed() -> None:
    others = named_specs(*(f"job-{number:02}" for number in range(30)), desiredState="observed")
    part = a_part(*named_specs("chat"), *others)
    outcome = part.run()

    assert part.account.asked[:2] == ["ftjob-chat", "cancel ftjob-chat"]
    assert len(outcome.done) == 31
    assert outcome.plan is not None
    assert len(outcome.plan.cases) == 31


def test_an_account_that_cannot_be_opened_reports_why_and_no_request_is_sent() -> None:
    part = a_part(*named_specs("chat"))
    part.world.accounts.readers = {ACCOUNT: PermanentError("no key is set", kind=Kind.MISSING)}
    outcome = part.run()

    assert part.account.asked == []
    assert outcome.plan is not None
    assert outcome.plan.unobserved is not None
    assert outcome.plan.unobserved.message == "no key is set"
    assert [each.unobserved for each in part.events if isinstance(each, ObservationEnded)] == [outcome.plan.unobserved]
    assert outcome.error is None


def test_an_internal_error_is_reported_and_earlier_results_are_kept() -> None:
    others = named_specs(*(f"job-{number:02}" for number in range(30)), desiredState="observed")
    part = a_part(*named_specs("chat"), *others)

    def fail_once_cancelled(rules: CurrentSpecs) -> CurrentSpecs:
        if part.account.jobs["ftjob-chat"].phase is Phase.CANCELLED:
            raise ZeroDivisionError
        return rules

    part.rules = fail_once_cancelled
    outcome = part.run()

    assert outcome.error is not None
    assert outcome.error.startswith(f"{ACCOUNT}: a bug: ZeroDivisionError in test_account_run.py")
    assert progress(outcome) == {"chat": Progress.ACCEPTED}
    assert part.events[-1] == ObservationEnded(account=ACCOUNT, name="openai", has_observed=False)


def test_a_dry_run_decides_without_requesting_changes_or_writing_statuses() -> None:
    part = a_part(*named_specs("chat"))
    outcome = part.run(control=None)
    (done,) = outcome.done

    assert part.account.changes == []
    assert part.world.statuses.jobs == {}
    assert done.case.decision.action is not None
    assert done.case.decision.action.verb is Verb.CANCEL
    assert done.status == done.case.decision.status
    assert done.look_after == done.case.decision.requeue


def test_an_untrusted_revision_stalls_only_the_jobs_with_a_due_change() -> None:
    part = a_part(
        *named_specs("chat"), *named_specs("code", desiredState="running"), why_not_trusted="the branch was rewound"
    )
    part.run()

    assert part.account.changes == []
    assert part.reasons == {"chat": Reason.REVISION_NOT_TRUSTED, "code": Reason.AS_DESIRED}


def test_a_dry_run_also_reports_an_untrusted_revision() -> None:
    part = a_part(*named_specs("chat"), why_not_trusted="the branch was rewound")
    (done,) = part.run(control=None).done

    assert done.status.ready.reason is Reason.REVISION_NOT_TRUSTED
    assert done.case.decision.action is None


def test_a_torn_revision_causes_no_change_and_stalls_no_job() -> None:
    part = a_part(*named_specs("chat"), why_not_trusted="it changed while it was read", is_torn=True)
    part.run()

    assert part.account.changes == []
    assert part.reasons == {"chat": Reason.CANCEL_PENDING}
    assert [each.receipts for each in part.world.statuses.jobs.values()] == [()]


def test_a_job_whose_spec_changed_in_a_later_pass_is_not_cancelled() -> None:
    part = a_part(*named_specs("chat"))
    (changed,) = named_specs("chat", desiredState="running")
    part.rules = lambda rules: replace(rules, subjects={"chat": subject_of(changed)})
    outcome = part.run()

    assert part.account.changes == []
    assert outcome.plan is not None
    assert outcome.plan.overtaken == (JobRef(ACCOUNT, "ftjob-chat"),)


def test_a_stopping_run_requests_no_change_but_writes_what_it_observed() -> None:
    part = a_part(*named_specs("chat"))
    part.run(is_stopping=lambda: "ftjob-chat" in part.account.asked)

    assert part.account.asked == ["ftjob-chat"]
    assert part.reasons == {"chat": Reason.CANCEL_PENDING}


def test_an_observation_that_reconcile_aborted_is_not_reported_as_unobserved() -> None:
    part = a_part(*named_specs("chat"))
    part.account.broken["ftjob-chat"] = TransientError("this process is about to stop", delivered=Delivered.NO)
    outcome = part.run(is_stopping=lambda: True)

    assert outcome.plan is not None
    assert outcome.plan.unobserved is None
    assert not outcome.plan.has_observed
    assert part.world.statuses.jobs == {}
    assert part.events[-1] == ObservationEnded(account=ACCOUNT, name="openai", has_observed=False)


def a_part_with_an_orphan() -> Part:
    """Return the part of an account with a deleted spec, whose cancel was accepted."""
    world = with_an_orphan(a_receipt(age=MINUTE, accepted_at=NOW - MINUTE))
    account = an_account("ftjob-chat", "ftjob-code", phase=Phase.CANCELLED)
    world.accounts.readers = {ACCOUNT: account}
    return Part(account, world)


def test_the_jobs_of_deleted_specs_are_observed_last() -> None:
    part = a_part_with_an_orphan()
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat", "ftjob-code"]
    assert outcome.orphans == {"code": Observed(a_job(Phase.CANCELLED, id="ftjob-code"))}


def test_the_jobs_of_deleted_specs_are_not_observed_if_the_account_denies_access() -> None:
    part = a_part_with_an_orphan()
    part.account.broken["ftjob-chat"] = PermanentError("401", kind=Kind.DENIED)
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat"]
    assert outcome.orphans == {}


def test_an_observation_begins_with_the_jobs_the_last_one_did_not_reach() -> None:
    names = [f"a{number:02}" for number in range(22)] + [f"b{number:02}" for number in range(8)]
    part = a_part(*named_specs(*names, desiredState="observed"))
    forbidden = PermanentError("403", kind=Kind.FORBIDDEN)
    part.account.broken.update(
        {f"ftjob-{each}": forbidden for each in names if each[0] == "a"}, **{"page 1": forbidden}
    )
    wanted = frozenset(JobRef(ACCOUNT, f"ftjob-{each}") for each in names)
    for _ in range(2):
        outcome = part.run()
        assert outcome.plan is not None
        part.unobserved.take_in([outcome.plan], wanted)

    assert {f"ftjob-{each}" for each in names} <= set(part.account.asked)
    assert {ref.id[6] for ref in part.unobserved.jobs} == {"a"}
