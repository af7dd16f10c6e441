"""What is decided about batches: as about fine-tuning jobs, but for counters, patience and messages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from reconciler.core.decide import Decision, decide
from reconciler.core.settle import halted, refused
from reconciler.core.subject import Subject
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import JobCounts, JobError, Observed, Phase
from reconciler.model.kind import BATCH
from reconciler.model.status import Because, JobStatus, Verb
from tests.support.build import NOW
from tests.support.subjects import (
    BATCH_REF,
    CANCELS_SLOWLY,
    HOUR,
    MINUTE,
    SECOND,
    a_batch_look,
    a_batch_subject,
    a_receipt,
)


def a_batch_spec(wanted: str = "running", can: Capabilities | None = None, **rest: Any) -> Subject:
    return a_batch_subject(wanted, can or Capabilities(), **rest)


def shown(phase: Phase, done: int = 23, **facts: Any) -> Observed:
    return a_batch_look(phase, done=done, **{"created_at": NOW - HOUR} | facts)


def decided(subject: Subject, *looks: Observed) -> Decision:
    """Return the decision about the last of these observations, each a minute after the one before it."""
    status: JobStatus | None = None
    for number, look in enumerate(looks):
        decision = decide(subject, look, status, NOW + number * MINUTE)
        status = decision.status
    return decision


def test_counters_alone_never_change_the_status_of_a_running_batch() -> None:
    subject = a_batch_spec()
    before = decided(subject, shown(Phase.RUNNING, 23)).status
    after = decided(subject, shown(Phase.RUNNING, 23), shown(Phase.RUNNING, 24), shown(Phase.RUNNING, 99)).status

    assert after == before
    assert (before.kind, before.ready.message) == (BATCH, "running at the provider")


@pytest.mark.parametrize("refuse", [refused, halted])
def test_counters_alone_never_change_the_status_of_a_batch_whose_cancel_may_not_be_sent(
    refuse: Callable[[JobStatus, str, JobStatus | None, datetime], JobStatus],
) -> None:
    first = decide(a_batch_spec("cancelled"), shown(Phase.RUNNING, 23), None, NOW)
    before = refuse(first.status, "too many", None, NOW)
    later = decide(a_batch_spec("cancelled"), shown(Phase.RUNNING, 24), before, NOW + MINUTE)

    assert later.action is not None
    assert refuse(later.status, "too many", before, NOW + MINUTE) is before


def test_counters_are_written_together_with_another_change() -> None:
    status = decided(a_batch_spec(), shown(Phase.RUNNING, 23), shown(Phase.SUCCEEDED, 100)).status

    assert status.job is not None
    assert (status.job.counts, status.job.tokens) == (JobCounts(100, 100, 0), 100_000)
    assert status.ready.message == "succeeded at the provider; 100 of 100 done"


def test_counters_that_are_corrected_after_the_end_do_not_change_the_message() -> None:
    status = decided(a_batch_spec("cancelled"), shown(Phase.CANCELLED, 23), shown(Phase.CANCELLED, 24)).status

    assert status.ready.message == "cancelled at the provider; 23 of 100 done"


def test_a_batch_that_succeeded_in_part_says_so() -> None:
    note = JobError(code="PartiallyCompleted", message="not all were processed in time")
    status = decided(a_batch_spec(), shown(Phase.SUCCEEDED, 91, error=note)).status

    assert status.is_ready
    assert status.ready.message == "succeeded at the provider; 91 of 100 done; not all were processed in time"


def test_an_expired_batch_has_failed_and_says_so() -> None:
    error = JobError(code="expired", message="expired: 23 of 100 done")
    status = decided(a_batch_spec(), shown(Phase.FAILED, error=error)).status

    assert status.is_stalled
    assert (status.ready.reason, status.ready.message) == (
        "JobFailed",
        "failed at the provider: expired: 23 of 100 done",
    )


def test_an_expired_batch_that_was_to_be_cancelled_says_that_it_expired() -> None:
    error = JobError(code="expired", message="expired: 23 of 100 done")
    status = decided(a_batch_spec("cancelled"), shown(Phase.FAILED, error=error)).status

    assert status.is_ready
    assert (status.ready.reason, status.ready.message) == (
        "FinishedBeforeCancel",
        "failed at the provider: expired: 23 of 100 done",
    )


def test_a_succeeded_batch_without_an_output_file_is_final_at_once() -> None:
    assert decided(a_batch_spec(), shown(Phase.SUCCEEDED, finished_at=NOW, output_file=None)).status.final


@pytest.mark.parametrize(
    ("can", "age", "is_repeated"),
    [
        (Capabilities(), 10 * MINUTE - SECOND, False),
        (Capabilities(), 10 * MINUTE, True),
        (CANCELS_SLOWLY, 30 * MINUTE - SECOND, False),
        (CANCELS_SLOWLY, 30 * MINUTE, True),
    ],
)
def test_an_accepted_cancel_is_repeated_only_after_the_time_that_its_provider_needs(
    can: Capabilities, age: timedelta, *, is_repeated: bool
) -> None:
    subject = a_batch_spec("cancelled", can)
    asked = decide(subject, shown(Phase.RUNNING), None, NOW - age).status
    accepted = replace(asked, receipts=(a_receipt(age=age, accepted_at=NOW - age),))
    action = decide(subject, shown(Phase.RUNNING), accepted, NOW).action

    assert (action is not None) is is_repeated
    assert subject.honour_within(Verb.PAUSE) == timedelta(minutes=10)


def test_a_batch_that_another_user_paused_is_never_resumed() -> None:
    decision = decided(a_batch_spec("running", Capabilities(can_pause=True)), shown(Phase.PAUSED))

    assert decision.action is None
    assert decision.status.ready.reason == "NotSupported"


def test_a_batch_over_a_limit_is_cancelled() -> None:
    decision = decided(a_batch_spec(limits={"maxAge": "30m"}), shown(Phase.RUNNING))

    assert decision.action is not None
    assert (decision.action.verb, decision.action.ref) == (Verb.CANCEL, BATCH_REF)


def test_a_batch_that_was_cancelled_because_of_a_limit_says_how_much_is_done() -> None:
    subject = a_batch_spec(limits={"maxAge": "30m"})
    receipt = a_receipt(because=Because.LIMIT_REACHED, reason="maxAge 30m", accepted_at=NOW)
    before = replace(decide(subject, shown(Phase.RUNNING), None, NOW).status, receipts=(receipt,))
    ended = decide(subject, shown(Phase.CANCELLED, finished_at=NOW), before, NOW).status

    assert ended.ready.message == "cancelled, because it exceeded a limit of its spec; 23 of 100 done"
