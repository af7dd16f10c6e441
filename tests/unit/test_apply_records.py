"""What is recorded and published before a request is sent, and that no request is sent if this fails."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from reconciler.errors import ConflictError, Delivered, PublishError, TransientError
from reconciler.model.action import Progress
from reconciler.model.action_record import PassEvent, RequestEnded
from reconciler.model.job import Accepted, AlreadyOver, JobRef, Phase
from reconciler.model.journal import Requested
from reconciler.model.status import Verb
from tests.support.build import ACCOUNT, NOW, a_spec
from tests.support.in_memory import Notebook
from tests.support.in_memory_accounts import (
    InMemoryAccount,
    SharedBranch,
    a_case,
    a_revision,
    a_world,
    an_account,
    named_specs,
)
from tests.support.subjects import HOUR, a_past, a_receipt, a_subject
from tests.unit.test_apply import DOWN, FULL, carried_out, progress, receipts, two_cancels


def test_only_counted_first_attempts_are_recorded_in_the_journal() -> None:
    account, world, (chat, code) = two_cancels()
    carried_out(
        account, world, [replace(chat, is_counted=True, approved_by="--allow-cancel"), code], journal=world.journal
    )

    assert world.journal.attempts == (
        Requested(
            name="chat",
            account=str(ACCOUNT),
            job_id="ftjob-chat",
            verb=Verb.CANCEL,
            at=NOW,
            receipt_at=NOW,
            approved_by="--allow-cancel",
        ),
    )


def test_the_journal_keeps_recent_attempts_and_drops_expired_ones() -> None:
    account, world, (chat, _) = two_cancels()
    of_now = Requested(name="x", account=str(ACCOUNT), job_id="x", verb=Verb.CANCEL, at=NOW, receipt_at=NOW)
    of_yesterday = replace(of_now, name="y", at=NOW - 25 * HOUR, receipt_at=NOW - 25 * HOUR)
    world.journal.attempts = (of_yesterday, of_now)
    carried_out(account, world, [replace(chat, is_counted=True)], journal=world.journal)

    assert [each.name for each in world.journal.attempts] == ["x", "chat"]


def test_an_undelivered_attempt_leaves_the_journal_and_an_unanswered_one_stays() -> None:
    account, world, cases = two_cancels(is_counted=True)
    account.broken = {
        "cancel ftjob-chat": DOWN,
        "cancel ftjob-code": TransientError("no answer", delivered=Delivered.UNKNOWN),
    }
    done = carried_out(account, world, cases, journal=world.journal)

    assert progress(done) == {"chat": Progress.NOT_DELIVERED, "code": Progress.UNANSWERED}
    assert [each.name for each in world.journal.attempts] == ["code"]


def test_the_journal_keeps_an_attempt_if_a_bug_occurs_after_its_request_was_sent() -> None:
    account, world, (chat, code) = two_cancels(is_counted=True)

    def raise_a_bug(event: PassEvent) -> None:
        if isinstance(event, RequestEnded) and event.action.name == "chat":
            raise ZeroDivisionError

    done = carried_out(account, world, [chat, code], journal=world.journal, notify=raise_a_bug)

    assert sorted(account.changes) == ["cancel ftjob-chat", "cancel ftjob-code"]
    assert [len(each.errors) for each in done.values()] == [1, 0]
    assert [each.name for each in world.journal.attempts] == ["chat", "code"]


def test_an_attempt_whose_spec_is_deleted_is_removed_from_the_journal() -> None:
    account, world, cases = two_cancels(is_counted=True)
    world.specs.revision = a_revision(*named_specs("chat"))
    carried_out(account, world, cases, journal=world.journal)

    assert account.changes == ["cancel ftjob-chat"]
    assert [each.name for each in world.journal.attempts] == ["chat"]


def test_a_job_that_a_retrieve_shows_as_ended_is_removed_from_the_journal() -> None:
    account, world, (chat, code) = two_cancels(is_counted=True)
    account.jobs["ftjob-chat"] = replace(account.jobs["ftjob-chat"], phase=Phase.CANCELLED)
    carried_out(account, world, [replace(chat, is_by_row=True), code], journal=world.journal)

    assert [each.name for each in world.journal.attempts] == ["code"]


def test_no_request_is_sent_if_the_journal_cannot_be_written() -> None:
    account, world, cases = two_cancels(is_counted=True)
    done = carried_out(account, world, cases, journal=Notebook(broken=OSError(30, "Read-only file system", "attempts")))

    assert account.asked == []
    assert receipts(world) == {"chat": 0, "code": 0}
    assert progress(done) == {"chat": Progress.NOT_RECORDED, "code": Progress.NOT_RECORDED}
    assert done["chat"].errors == (
        (
            "chat: the intent could not be recorded in the journal, so no request was sent: "
            "Read-only file system: attempts"
        ),
    )


def test_a_repeated_request_does_not_need_the_journal() -> None:
    account, spec = an_account(), a_spec()
    last = a_past(a_subject(), Phase.RUNNING, a_receipt(age=HOUR))
    world = a_world(account, spec)
    done = carried_out(account, world, [a_case(spec, last=last)], journal=Notebook(broken=FULL))

    assert account.changes == ["cancel ftjob-abc123"]
    assert [each.attempts for each in done["support-triage"].status.receipts] == [2]


@dataclass
class Reader(InMemoryAccount):
    """An account that records, at each cancel, what is published."""

    branch: SharedBranch | None = None
    found: list[str] | None = None

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Record the published messages, and cancel."""
        assert self.branch is not None
        self.found = [*(self.found or []), *self.branch.messages]
        return await super().cancel_job(ref)


@pytest.mark.parametrize(
    ("names", "message"),
    [(("chat",), "reconcile: about to cancel chat"), (("code", "chat"), "reconcile: about to cancel chat and 1 more")],
    ids=["one", "two"],
)
def test_intents_are_published_before_the_first_request_if_statuses_are_shared(
    names: tuple[str, ...], message: str
) -> None:
    specs = named_specs(*names)
    branch = SharedBranch()
    reader = Reader(an_account("ftjob-chat", "ftjob-code").jobs, branch=branch)
    carried_out(reader, a_world(reader, *specs), map(a_case, specs), publisher=branch)

    assert reader.found == [message] * len(names)
    assert branch.messages == [message]


def test_intents_are_not_published_if_statuses_are_not_shared() -> None:
    account, world, cases = two_cancels()
    branch = SharedBranch(is_shared=False)
    carried_out(account, world, cases, publisher=branch)

    assert branch.messages == []
    assert len(account.changes) == 2


def test_no_intent_is_published_if_no_change_is_due() -> None:
    account, spec = an_account(), a_spec(desiredState="observed")
    branch = SharedBranch()
    carried_out(account, a_world(account, spec), [a_case(spec)], publisher=branch)

    assert branch.messages == []


def test_a_publish_conflict_undoes_the_intents_and_no_request_is_sent() -> None:
    account, spec = an_account(), a_spec()
    last = a_past(a_subject("running"))
    world = a_world(account, spec)
    world.statuses.write(last, durable=False)
    done = carried_out(account, world, [a_case(spec, last=last)], publisher=SharedBranch(trouble=ConflictError()))

    assert account.asked == []
    assert list(world.statuses.jobs.values()) == [last]
    assert progress(done) == {"support-triage": Progress.OVERTAKEN}
    assert done["support-triage"].status == last


def test_no_request_is_sent_if_the_intents_cannot_be_published() -> None:
    account, world, cases = two_cancels(is_counted=True)
    branch = SharedBranch(trouble=PublishError("the remote does not answer"))
    done = carried_out(account, world, cases, publisher=branch, journal=world.journal)

    assert account.asked == []
    assert world.journal.attempts == ()
    assert receipts(world) == {"chat": 0, "code": 0}
    assert progress(done) == {"chat": Progress.NOT_RECORDED, "code": Progress.NOT_RECORDED}
    assert done["code"].errors == (
        "code: the intent could not be published, so no request was sent: the remote does not answer",
    )
