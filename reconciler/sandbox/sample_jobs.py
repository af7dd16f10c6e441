"""Jobs of all sorts, made by number: an account for people to try things on. The same number is always the same job."""

from __future__ import annotations

from datetime import timedelta

from reconciler.model.job import Phase
from reconciler.sandbox.config import DeclaredJob, DeclaredStage

MODELS = ("gpt-4o-mini-2024-07-18", "gpt-4.1-mini-2025-04-14", "gpt-4o-2024-08-06")
LONG = timedelta(days=3)
SHORT = timedelta(minutes=20)
RUNS = (
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
LIVES = (RUNS, SUCCEEDED, RUNS, SUCCEEDED, QUEUED, RUNS, FAILED, SUCCEEDED, RUNS, SUCCEEDED)
"""Of ten jobs four run, one waits, four have succeeded and one has failed."""


def crowd(size: int) -> tuple[DeclaredJob, ...]:
    """Return so many jobs, the youngest first; each is an hour and a half older than the one before."""
    digits = len(str(size))
    return tuple(
        DeclaredJob(
            id=f"ftjob-{number:0{digits}}",
            model=MODELS[number % len(MODELS)],
            age=timedelta(minutes=90) * number,
            life=LIVES[number % len(LIVES)],
        )
        for number in range(1, size + 1)
    )
