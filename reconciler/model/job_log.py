"""The log that a provider keeps for a job, and the models that the job saved before it ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class JobEvent:
    """One line of the log that the provider keeps for a job. `at` is None if the provider reports no time."""

    at: datetime | None
    level: str
    message: str


@dataclass(frozen=True, slots=True)
class JobCheckpoint:
    """A usable model that a job saved before it ended.

    `at` and `step` are None if the provider does not report them.
    """

    at: datetime | None
    step: int | None
    model: str
