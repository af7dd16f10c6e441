"""When a provider has reported that a job does not exist, according to the provider's own log of responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenario.history import ABSENT, History, PassStarted, ProviderRequest


def is_told_gone(history: History, account: str, job_id: str, until: datetime) -> bool:
    """Whether the provider took a cancel of ours and said twice since, a minute apart, that there is no such job.

    A pass in which a list shows the job and a retrieve says that there is none has not observed it: what contradicts
    itself neither ends an absence nor counts as one.
    """
    sights = _Sights()
    is_taken = False
    for event in history.events:
        if event.at > until:
            break
        if isinstance(event, PassStarted):
            sights.settle()
        elif isinstance(event, ProviderRequest) and event.account == account:
            is_taken = is_taken or (event.verb == "cancel" and event.job_id == job_id and event.is_well)
            if is_taken and (word := event.words.get(job_id)) is not None:
                sights.take_in(word, event)
    sights.settle()
    return len(sights.absences) > 1 and sights.absences[-1] - sights.absences[0] >= timedelta(minutes=1)


@dataclass(slots=True)
class _Sights:
    """When the provider said of a job that there is none, since it last showed it."""

    absences: list[datetime] = field(default_factory=list)
    _absent_at: datetime | None = None
    """In this pass."""
    _is_listed: bool = False
    """In this pass."""

    def take_in(self, word: str, event: ProviderRequest) -> None:
        if word == ABSENT:
            self._absent_at = event.at
        elif event.verb == "list":
            self._is_listed = True
        else:
            self.absences = []

    def settle(self) -> None:
        """Take in a pass as a whole."""
        if self._absent_at is not None and not self._is_listed:
            self.absences.append(self._absent_at)
        elif self._is_listed and self._absent_at is None:
            self.absences = []
        self._absent_at, self._is_listed = None, False
