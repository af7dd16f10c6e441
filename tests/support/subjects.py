"""Builders for the objects of the decision core, in addition to those of `build`: subjects, observations, receipts.

Times are written as ages, which are durations before `NOW`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from reconciler.core.conditions import Readiness, Verdict, conclude
from reconciler.core.decide import Decision, decide
from reconciler.core.receipts import intend
from reconciler.core.settle import RequestOutcome, settle
from reconciler.core.subject import Subject
from reconciler.model.action import Progress
from reconciler.model.batch_job import BatchJob
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import JobCounts, JobRef, Observation, Observed, Phase, Unobserved
from reconciler.model.kind import BATCH
from reconciler.model.reason import Reason
from reconciler.model.spec import API_VERSION, spec_digest
from reconciler.model.status import Because, HistoryEntry, JobFacts, JobStatus, Receipt, Verb
from tests.support.build import ACCOUNT, NOW, a_job, a_spec, a_status

REF = JobRef(ACCOUNT, "ftjob-abc123")
BATCH_REF = JobRef(ACCOUNT.of_kind(BATCH.name), "batch_1")
CAN_PAUSE = Capabilities(can_pause=True)
CANNOT_PAUSE = Capabilities()
HIDES_CANCELLING = Capabilities(can_pause=True, confirms=False)
CANCELS_SLOWLY = Capabilities(cancel_takes=timedelta(minutes=30))
UNSEEN = Unobserved(Reason.CANNOT_OBSERVE_PROVIDER, "no answer")
ABSENT = Observed(None)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
EDGES = ((-SECOND, "just before"), (timedelta(0), "at"), (SECOND, "just after"))


def a_subject(wanted: str = "cancelled", can: Capabilities = CAN_PAUSE, **rest: Any) -> Subject:
    """Return a resolved spec. `rest` has the keys of the file, in camel case."""
    spec = a_spec(desiredState=wanted, **rest).spec
    return Subject(
        name="support-triage",
        source="bots.yaml",
        ref=REF,
        spec=spec,
        digest=spec_digest(spec, ACCOUNT),
        capabilities=can,
        suspension=spec.suspend,
    )


def a_batch_subject(wanted: str = "cancelled", can: Capabilities = CANNOT_PAUSE, **rest: Any) -> Subject:
    """Return a resolved spec of a batch. `rest` has the keys of the file, in camel case."""
    document = BatchJob.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": BATCH.name,
            "metadata": {"name": "support-triage"},
            "spec": {"provider": "openai", "jobId": BATCH_REF.id, "desiredState": wanted} | rest,
        }
    )
    return replace(
        a_subject("cancelled", can),
        kind=BATCH,
        ref=BATCH_REF,
        spec=document.spec,
        digest=spec_digest(document.spec, BATCH_REF.account),
        suspension=document.spec.suspend,
    )


def a_batch_look(phase: Phase = Phase.RUNNING, at: datetime = NOW, done: int = 23, **facts: Any) -> Observed:
    """Return an observation of a batch with 100 requests."""
    counts = {"counts": JobCounts(total=100, done=done, failed=0), "tokens": 1000 * done}
    return a_look(phase, at, **{"id": BATCH_REF.id} | counts | facts)


def a_look(phase: Phase = Phase.RUNNING, at: datetime = NOW, **facts: Any) -> Observed:
    """Return an observation of a job that was created two hours ago, by a provider whose clock is right."""
    return Observed(a_job(phase, **{"created_at": at - 2 * HOUR, "as_of": at} | facts))


def a_receipt(verb: Verb = Verb.CANCEL, age: timedelta = timedelta(0), **rest: Any) -> Receipt:
    """Return an open receipt of a change that was requested once, this long before `NOW`."""
    usual: dict[str, Any] = {
        "because": Because.DESIRED_STATE,
        "reason": None,
        "origin": None,
        "requested_at": NOW - age,
        "last_attempt_at": NOW - age,
        "attempts": 1,
    }
    return Receipt(verb=verb, **usual | rest)


def a_past(
    subject: Subject,
    phase: Phase = Phase.RUNNING,
    *receipts: Receipt,
    age: timedelta = timedelta(0),
    verdict: Verdict | None = None,
    **job: Any,
) -> JobStatus:
    """Return the status of a subject whose job has been in this phase for this long."""
    draft = replace(
        a_status(),
        observed_spec=subject.digest,
        phase=phase,
        final=False,
        conditions=(),
        job=JobFacts(**{"account": str(ACCOUNT), "id": REF.id, "provider_status": str(phase)} | job),
        receipts=receipts,
        history=(),
    )
    said = verdict or Verdict(Readiness.RECONCILING, Reason.CANCEL_PENDING, f"{phase} at the provider")
    status = conclude(draft, said, None, NOW - age)
    return replace(status, history=(HistoryEntry(NOW - age, phase, said.reason),))


def carried_out(
    subject: Subject, look: Observation, last: JobStatus | None, now: datetime, progress: Progress = Progress.ACCEPTED
) -> JobStatus:
    """Return the status after a decision and, if it requests a change, after the response."""
    return answered(decide(subject, look, last, now), now, progress)


def answered(decision: Decision, now: datetime, progress: Progress) -> JobStatus:
    """Return the status of a decision after this response to its request."""
    if decision.action is None:
        return decision.status
    intent = intend(decision.status, decision.action, None, None, now)
    return settle(
        intent, decision.status, decision.action, RequestOutcome(progress, "as the test has it"), decision.last, now
    )
