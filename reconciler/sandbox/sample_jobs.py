"""Sample jobs for trials. For the same size, the generated jobs are always the same."""

from __future__ import annotations

from datetime import timedelta

from reconciler.model.job import Phase
from reconciler.sandbox.config import DeclaredJob, DeclaredStage

MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06")
LONG = timedelta(days=3)
SHORT = timedelta(minutes=20)
RUNNING = (
    DeclaredStage(phase=Phase.QUEUED, for_=SHORT),
    DeclaredStage(phase=Phase.RUNNING, for_=LONG),
    DeclaredStage(phase=Phase.SUCCEEDED),
)
SUCCEEDED = (DeclaredStage(phase=Phase.RUNNING, for_=SHORT), DeclaredStage(phase=Phase.SUCCEEDED))
FAILED = (DeclaredStage(phase=Phase.RUNNING, for_=SHORT), DeclaredStage(phase=Phase.FAILED))
QUEUED = (
    DeclaredStage(phase=Phase.QUEUED, for_=LONG),
    DeclaredStage(phase=Phase.RUNNING, for_=LONG),
    DeclaredStage(phase=Phase.SUCCEEDED),
)
TIMELINES = (RUNNING, SUCCEEDED, RUNNING, SUCCEEDED, QUEUED, RUNNING, FAILED, SUCCEEDED, RUNNING, SUCCEEDED)
"""A repeating pattern. Of the first ten jobs, four run, one is queued, four have succeeded and one has failed."""


def sample_jobs(size: int) -> tuple[DeclaredJob, ...]:
    """Return `size` jobs, the newest first. Each job is 90 minutes older than the one before it."""
    digits = len(str(size))
    return tuple(
        DeclaredJob(
            id=f"ftjob-{number:0{digits}}",
            model=MODELS[number % len(MODELS)],
            age=timedelta(minutes=90) * number,
            life=TIMELINES[number % len(TIMELINES)],
        )
        for number in range(1, size + 1)
    )
