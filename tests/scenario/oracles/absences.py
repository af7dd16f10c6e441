"""When a provider has reported that a job does not exist, according to the provider's own log of responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenario.history import ABSENT, History, PassStarted, ProviderRequest


def is_told_gone(history: History, account: str, job_id: str, until: datetime) -> bool:
    """Return whether the provider accepted a cancel and has reported the job absent twice since, a minute apart.

    A pass in which a list shows the job and a retrieve reports it absent contradicts itself. Such a pass neither ends
    an absence nor counts as an absence.
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
    """The times at which the provider reported a job absent, since it last showed the job."""

    absences: list[datetime] = field(default_factory=list)
    _absent_at: datetime | None = None
    """When the job was reported absent in this pass, or None."""
    _is_listed: bool = False
    """Whether a list showed the job in this pass."""

    def take_in(self, word: str, event: ProviderRequest) -> None:
        if word == ABSENT:
            self._absent_at = event.at
        elif event.verb == "list":
            self._is_listed = True
        else:
            self.absences = []

    def settle(self) -> None:
        """Record the end of a pass, and count the absence that it found."""
        if self._absent_at is not None and not self._is_listed:
            self.absences.append(self._absent_at)
        elif self._is_listed and self._absent_at is None:
            self.absences = []
        self._absent_at, self._is_listed = None, False
