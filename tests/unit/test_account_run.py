"""One account's part of a pass: in which order it looks and acts, and what holds it back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.account_worker import assign_work, run_account
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
    """What the rules become after the pass has begun."""

    def run(self, **rest: Any) -> AccountOutcome:
        """Do it, and return what came of it."""
        runtime = controlled(self.world, notify=self.events.append, **rest)
        desired = desired_in(runtime)
        rules = current_specs(desired, ChangeBudget(), None)
        work = assign_work(desired, frozenset(), None, runtime)[ACCOUNT]
        return asyncio.run(run_account(work, lambda: self.rules(rules), runtime, 0, self.unobserved))

    @property
    def reasons(self) -> dict[str, Reason]:
        """What the statuses on the disk say, by name."""
        return {each.name: each.ready.reason for each in self.world.statuses.jobs.values()}


def a_part(*specs: FineTuningJob, account: InMemoryAccount | None = None, **snapshot: Any) -> Part:
    """Return the part of an account whose jobs all run."""
    account = account or an_account(*(each.spec.job_id for each in specs))
    return Part(account, a_world(account, *specs, **snapshot))


def progress(outcome: AccountOutcome) -> dict[str, Progress | None]:
    return {each.case.subject.name: each.answer.progress if each.answer else None for each in outcome.done}


def test_an_account_looks_and_cancels_what_should_not_run() -> None:
    chat, code = named_specs("chat")[0], named_specs("code", desiredState="running")[0]
    part = a_part(chat, code)
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat", "ftjob-code", "cancel ftjob-chat"]
    assert progress(outcome) == {"chat": Progress.ACCEPTED, "code": None}
    assert part.reasons == {"chat": Reason.CANCEL_PENDING, "code": Reason.AS_DESIRED}
    assert outcome.alias == "openai"
    assert part.events[0] == ObservationStarted(account=ACCOUNT, name="openai", jobs=2)
    assert ObservationEnded(account=ACCOUNT, name="openai") in part.events


def test_a_cancel_does_not_wait_for_the_look_at_many_other_jobs() -> None:
    others = named_specs(*(f"job-{number:02}" for number in range(30)), desiredState="observed")
    part = a_part(*named_specs("chat"), *others)
    outcome = part.run()

    assert part.account.asked[:2] == ["ftjob-chat", "cancel ftjob-chat"]
    assert len(outcome.done) == 31
    assert outcome.plan is not None
    assert len(outcome.plan.cases) == 31


def test_an_account_that_cannot_be_opened_says_why_and_nothing_is_asked() -> None:
    part = a_part(*named_specs("chat"))
    part.world.accounts.readers = {ACCOUNT: PermanentError("no key is set", kind=Kind.MISSING)}
    outcome = part.run()

    assert part.account.asked == []
    assert outcome.plan is not None
    assert outcome.plan.unobserved is not None
    assert outcome.plan.unobserved.message == "no key is set"
    assert [each.unobserved for each in part.events if isinstance(each, ObservationEnded)] == [outcome.plan.unobserved]
    assert outcome.error is None


def test_a_bug_of_ours_is_the_accounts_error_and_what_was_done_before_it_is_kept() -> None:
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


def test_a_dry_run_decides_and_neither_asks_nor_writes() -> None:
    part = a_part(*named_specs("chat"))
    outcome = part.run(control=None)
    (done,) = outcome.done

    assert part.account.changes == []
    assert part.world.statuses.jobs == {}
    assert done.case.decision.action is not None
    assert done.case.decision.action.verb is Verb.CANCEL
    assert done.status == done.case.decision.status
    assert done.look_after == done.case.decision.requeue


def test_a_halt_that_a_person_must_mend_leaves_what_was_due_stalled_and_all_else_as_it_is() -> None:
    part = a_part(
        *named_specs("chat"), *named_specs("code", desiredState="running"), why_not_trusted="the branch was rewound"
    )
    part.run()

    assert part.account.changes == []
    assert part.reasons == {"chat": Reason.REVISION_NOT_TRUSTED, "code": Reason.AS_DESIRED}


def test_a_dry_run_tells_of_a_halt_too() -> None:
    part = a_part(*named_specs("chat"), why_not_trusted="the branch was rewound")
    (done,) = part.run(control=None).done

    assert done.status.ready.reason is Reason.REVISION_NOT_TRUSTED
    assert done.case.decision.action is None


def test_a_revision_that_changed_while_it_was_read_is_not_acted_on_and_stalls_nothing() -> None:
    part = a_part(*named_specs("chat"), why_not_trusted="it changed while it was read", is_torn=True)
    part.run()

    assert part.account.changes == []
    assert part.reasons == {"chat": Reason.CANCEL_PENDING}
    assert [each.receipts for each in part.world.statuses.jobs.values()] == [()]


def test_a_spec_that_a_later_pass_finds_changed_is_not_acted_on() -> None:
    part = a_part(*named_specs("chat"))
    (changed,) = named_specs("chat", desiredState="running")
    part.rules = lambda rules: replace(rules, subjects={"chat": subject_of(changed)})
    outcome = part.run()

    assert part.account.changes == []
    assert outcome.plan is not None
    assert outcome.plan.overtaken == (JobRef(ACCOUNT, "ftjob-chat"),)


def test_nothing_is_asked_once_somebody_wants_to_stop_and_what_was_seen_is_written() -> None:
    part = a_part(*named_specs("chat"))
    part.run(is_stopping=lambda: "ftjob-chat" in part.account.asked)

    assert part.account.asked == ["ftjob-chat"]
    assert part.reasons == {"chat": Reason.CANCEL_PENDING}


def test_a_look_that_we_broke_off_ourselves_says_nothing_of_the_account() -> None:
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


def test_the_jobs_of_deleted_specs_are_looked_at_last() -> None:
    part = a_part_with_an_orphan()
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat", "ftjob-code"]
    assert outcome.orphans == {"code": Observed(a_job(Phase.CANCELLED, id="ftjob-code"))}


def test_the_jobs_of_deleted_specs_are_not_looked_at_where_the_account_shows_nothing() -> None:
    part = a_part_with_an_orphan()
    part.account.broken["ftjob-chat"] = PermanentError("401", kind=Kind.DENIED)
    outcome = part.run()

    assert part.account.asked == ["ftjob-chat"]
    assert outcome.orphans == {}
