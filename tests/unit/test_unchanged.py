"""Which jobs are unchanged, so that no decision is needed. The walk tests that a decision would agree."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.core.decide import decide, decide_in_full
from reconciler.core.unchanged import LASTING, is_unchanged
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import UNSET, JobError, Observed, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import HistoryEntry, JobStatus, Outcome, RememberedAttempt, Verb
from tests.support.build import NOW
from tests.support.subjects import CAN_PAUSE, HOUR, MINUTE, a_look, a_receipt, a_subject

LATER = NOW + HOUR


def the_job(phase: Phase, **facts: Any) -> ObservedJob:
    """Return a job as the provider shows it while nothing changes."""
    facts_of_job: dict[str, Any] = {
        "started_at": NOW - HOUR,
        "finished_at": NOW if phase in ENDED else None,
        "model": "gpt",
    }
    facts_of_job |= {"fine_tuned_model": "ft:gpt" if phase is Phase.SUCCEEDED else None}
    look = a_look(phase, **facts_of_job | facts)
    assert look.job is not None
    return look.job


ENDED = {Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED}


def status_of(phase: Phase, wanted: str) -> JobStatus:
    """Return the status that a decision writes for a job without a status."""
    return decide_in_full(a_subject(wanted), Observed(the_job(phase)), None, NOW).status


@pytest.mark.parametrize(("phase", "wanted"), LASTING)
def test_a_job_in_a_lasting_phase_is_unchanged_if_it_is_as_desired(phase: Phase, wanted: DesiredState) -> None:
    last, subject, job = status_of(phase, wanted), a_subject(wanted), the_job(phase)

    assert is_unchanged(subject, job, last)
    assert decide(subject, Observed(job), last, LATER) == decide_in_full(subject, Observed(job), last, LATER)
    assert decide(subject, Observed(job), last, LATER).status is last


def test_a_job_that_reconcile_cancelled_is_unchanged() -> None:
    receipt = a_receipt(accepted_at=NOW, confirmed_at=NOW, outcome=Outcome.CANCELLED)
    last = replace(status_of(Phase.CANCELLED, "cancelled"), receipts=(receipt,))

    assert is_unchanged(a_subject("cancelled"), the_job(Phase.CANCELLED), last)


@pytest.mark.parametrize(
    "shown",
    [
        {"provider_status": "another word"},
        {"model": "another"},
        {"model": None},
        {"fine_tuned_model": "ft:another"},
        {"created_at": NOW},
        {"created_at": None},
        {"started_at": NOW},
        {"finished_at": NOW},
        {"error": JobError("a code", "a message", None)},
    ],
    ids=str,
)
def test_a_job_with_a_changed_field_needs_a_decision(shown: dict[str, Any]) -> None:
    last = status_of(Phase.RUNNING, "running")

    assert not is_unchanged(a_subject("running"), replace(the_job(Phase.RUNNING), **shown), last)


@pytest.mark.parametrize(
    "shown",
    [
        {"model": UNSET, "error": UNSET, "created_at": UNSET, "started_at": UNSET, "finished_at": UNSET},
        {"started_at": None},
        {"trained_tokens": 7},
        {"as_of": LATER},
        {"started_at": NOW - HOUR + timedelta(milliseconds=400)},
    ],
    ids=str,
)
def test_a_job_with_missing_or_equal_fields_is_unchanged(shown: dict[str, Any]) -> None:
    last = status_of(Phase.RUNNING, "running")

    assert is_unchanged(a_subject("running"), replace(the_job(Phase.RUNNING), **shown), last)


def test_an_absent_or_changed_or_new_job_needs_a_decision() -> None:
    subject, last = a_subject("running"), status_of(Phase.RUNNING, "running")

    assert not is_unchanged(subject, None, last)
    assert not is_unchanged(subject, the_job(Phase.QUEUED), last)
    assert not is_unchanged(subject, the_job(Phase.RUNNING), None)
    assert not is_unchanged(subject, the_job(Phase.RUNNING), replace(last, job=None))


@pytest.mark.parametrize(
    "kept",
    [
        {"doubted_at": NOW},
        {"paused_elsewhere": "sha256:another"},
        {"final": True},
        {"observed_spec": "sha256:another"},
        {"name": "another"},
        {"source": "another.yaml"},
        {"receipts": (a_receipt(),)},
        {"receipts": (a_receipt(Verb.RESUME, outcome=Outcome.RUNNING),)},
        {"spent": (RememberedAttempt("an account", NOW),)},
        {"history": ()},
        {"history": (HistoryEntry(NOW, Phase.QUEUED, Reason.AS_DESIRED),)},
        {"history": (HistoryEntry(NOW, Phase.RUNNING, Reason.INVALID_SPEC),)},
        {"conditions": ()},
        {"observed_generation": 2},
    ],
    ids=str,
)
def test_a_changed_status_needs_a_decision(kept: dict[str, Any]) -> None:
    last = status_of(Phase.RUNNING, "running")

    assert not is_unchanged(a_subject("running"), the_job(Phase.RUNNING), replace(last, **kept))


@pytest.mark.parametrize(
    "change", [{"reason": Reason.INVALID_SPEC}, {"message": "something else"}, {"status": "False"}]
)
def test_a_status_with_another_condition_needs_a_decision(change: dict[str, Any]) -> None:
    last = status_of(Phase.RUNNING, "running")
    (ready,) = last.conditions

    assert not is_unchanged(
        a_subject("running"), the_job(Phase.RUNNING), replace(last, conditions=(replace(ready, **change),))
    )


@pytest.mark.parametrize("more", [{"limits": {"maxAge": "100d"}}, {"suspend": True}])
def test_a_spec_with_a_limit_or_a_suspension_needs_a_decision(more: dict[str, Any]) -> None:
    subject = a_subject("running", **more)
    last = replace(status_of(Phase.RUNNING, "running"), observed_spec=subject.digest)

    assert not is_unchanged(subject, the_job(Phase.RUNNING), last)


def test_a_cancelled_job_without_a_proof_of_the_cancel_needs_a_decision() -> None:
    last = status_of(Phase.CANCELLED, "cancelled")
    gone = a_receipt(accepted_at=NOW, confirmed_at=NOW, outcome=Outcome.GONE)
    hiding = Capabilities(confirms=False)

    assert not is_unchanged(a_subject("cancelled"), the_job(Phase.CANCELLED), replace(last, receipts=(gone,)))
    assert not is_unchanged(a_subject("cancelled", hiding), the_job(Phase.CANCELLED), last)
    assert is_unchanged(a_subject("cancelled", CAN_PAUSE), the_job(Phase.CANCELLED), last)


def test_a_running_job_without_a_start_time_needs_a_decision() -> None:
    last = status_of(Phase.RUNNING, "running")
    assert last.job is not None
    unstarted = replace(last, job=replace(last.job, started_at=None))

    assert not is_unchanged(a_subject("running"), the_job(Phase.RUNNING, started_at=None), unstarted)
    assert (
        decide(a_subject("running"), Observed(the_job(Phase.RUNNING)), unstarted, NOW + MINUTE).status is not unstarted
    )
