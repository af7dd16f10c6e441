"""Builders for test objects. Each call returns a typical object, and arguments change parts of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from reconciler.model.job import Account, ObservedJob, Phase
from reconciler.model.reason import Reason
from reconciler.model.spec import API_VERSION, FineTuningJob
from reconciler.model.status import Condition, ConditionStatus, ConditionType, HistoryEntry, JobFacts, JobStatus

NOW = datetime(2026, 11, 23, 14, 3, 20, tzinfo=UTC)
ACCOUNT = Account("openai", "https://api.openai.com/v1")


def a_spec(name: str = "support-triage", labels: dict[str, str] | None = None, **spec: Any) -> FineTuningJob:
    """Return a job document that requests a cancel. `spec` has further fields, with the camel-case keys of the file."""
    return FineTuningJob.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "FineTuningJob",
            "metadata": {"name": name, "labels": labels or {}},
            "spec": {"provider": "openai", "jobId": "ftjob-abc123", "desiredState": "cancelled"} | spec,
        }
    )


def a_job(phase: Phase = Phase.RUNNING, **facts: Any) -> ObservedJob:
    """Return an observed job. `facts` has further attributes of the job."""
    return ObservedJob(**{"id": "ftjob-abc123", "phase": phase, "provider_status": str(phase)} | facts)


def a_status(name: str = "support-triage", **facts: Any) -> JobStatus:
    """Return the status of a job that was cancelled as its spec requests. `facts` replaces attributes of the status."""
    ready = Condition(
        type=ConditionType.READY,
        status=ConditionStatus.TRUE,
        reason=Reason.CANCELLED,
        message="cancelled at the provider",
        observed_generation=1,
        last_transition_time=NOW,
    )
    usual: dict[str, Any] = {
        "name": name,
        "observed_generation": 1,
        "observed_spec": f"sha256:{'0' * 64}",
        "source": "bots.yaml",
        "phase": Phase.CANCELLED,
        "final": True,
        "conditions": (ready,),
        "job": JobFacts(account=str(ACCOUNT), id="ftjob-abc123", provider_status="cancelled"),
        "history": (HistoryEntry(NOW, Phase.CANCELLED, Reason.CANCELLED),),
    }
    return JobStatus(**usual | facts)
