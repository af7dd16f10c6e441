"""A history, divided into passes: what each pass knew at its start, what prevented changes, and its events."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenario.batch_services import provider_of
from tests.scenario.history import (
    ChangeSent,
    Crashed,
    Edited,
    Event,
    ExternalEvent,
    FaultsEnded,
    FileRemoved,
    FileWritten,
    History,
    PassEnded,
    PassStarted,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.requests import came_too_late
from tests.scenario.provider import ODDLY_TAKEN, ONE_JOB, REFUSED_IN_200
from tests.scenario.repository import Revision

_BETWEEN = ("disk full", "disk refuses", "key changed")
_NO_DOUBT = frozenset(
    {
        "clocks disagree",
        "absurd-times",
        "no-date",
        "garbled-rows",
        "list: stale-read",
        "lost-cancel",
        "late-cancel",
        REFUSED_IN_200,
        *ODDLY_TAKEN,
    }
)
"""Faults after which the account and its other jobs can still be observed."""
_FAILURES_MAX = 5
"""After this many failed requests in a row, an account gets no requests for a while."""
_BAD = (429, 500)


@dataclass(slots=True)
class PassRecord:
    """One pass over all specs, from its snapshot to its end."""

    at: datetime
    revision: Revision
    statuses: Mapping[str, bytes]
    """The statuses at the start of the pass."""
    resting: frozenset[str]
    """The providers that get no requests at the start or end of the pass, because of a pause or repeated failures."""
    throttled: frozenset[str]
    """The providers whose newest response before the pass was throttled. Only one request is then sent at first."""
    is_key_right: bool
    events: list[Event] = field(default_factory=list)

    @property
    def is_disrupted(self) -> bool:
        """Return whether people or the local disk interfered with the pass."""
        return any(map(is_disruption, self.events))

    def served(self, account: str) -> list[ProviderRequest]:
        """Return the requests of this pass to an account."""
        return [each for each in self.events if isinstance(each, ProviderRequest) and each.account == account]

    def is_clear(self, account: str) -> bool:
        """Return whether nothing makes the account as a whole doubtful. Single jobs may still be doubtful.

        A response that makes the jobs of one kind doubtful may delay the requests for the jobs of the other kind.
        """
        here = [each for each in self.events if isinstance(each, ProviderRequest) and _is_beside(each, account)]
        is_resting = provider_of(account) in self.resting
        return self.is_key_right and not is_resting and not any(map(casts_doubt, here))

    def is_kept_waiting(self, account: str) -> bool:
        """Return whether the account got no request because the provider had to answer for its other kind first."""
        return provider_of(account) in self.throttled and not self.served(account)

    def calls(self) -> set[tuple[str, str, str]]:
        """Return the requested changes, as account, job and verb."""
        return {(each.account, each.job_id, each.verb) for each in self.events if isinstance(each, ChangeSent)}


def _is_beside(answer: ProviderRequest, account: str) -> bool:
    return provider_of(answer.account) == provider_of(account)


def is_disruption(event: Event) -> bool:
    """Return whether an event is an edit or action of a person on the machine, or a fault of its disk."""
    return isinstance(event, Edited | Tampered) or (isinstance(event, ExternalEvent) and event.kind in _BETWEEN)


def casts_doubt(answer: ProviderRequest) -> bool:
    """Return whether a response makes its whole account doubtful, and not only one job."""
    fault = answer.fault
    if fault is not None and fault.startswith(ONE_JOB):
        return False
    if answer.retry_after_s is not None or (fault is not None and fault not in _NO_DOUBT):
        return True
    return came_too_late(answer) or (not answer.is_change and not answer.is_well and not answer.words)


def pass_records(history: History) -> Iterator[tuple[PassRecord, PassEnded]]:
    """Yield the finished passes over all specs, each with its end.

    Passes with a combined report are left out: an account worker may outlast one of these passes.
    """
    known = _Known()
    one_pass: PassRecord | None = None
    for event in history.events:
        known.take_in(event)
        match event:
            case PassStarted(at=at):
                one_pass = known.begin(at)
            case PassEnded():
                if one_pass is not None and event.is_single_pass:
                    one_pass.resting |= known.quiet.accounts(event.at)
                    yield one_pass, event
                one_pass = None
            case Crashed():
                one_pass = None
            case _ if one_pass is not None:
                one_pass.events.append(event)


@dataclass(slots=True)
class _Quiet:
    """Providers that may get no requests for a while. Failures for one job count only if no other request succeeded."""

    until: dict[str, datetime] = field(default_factory=dict)
    in_a_row: defaultdict[str, list[ProviderRequest]] = field(default_factory=lambda: defaultdict(list))
    is_well: dict[str, bool] = field(default_factory=dict)
    """Whether any request of the newest pass succeeded, by account."""

    def take_in(self, answer: ProviderRequest) -> None:
        account = provider_of(answer.account)
        if answer.retry_after_s is not None:
            until = answer.ended_at + timedelta(seconds=answer.retry_after_s)
            self.until[account] = max(until, self.until.get(account, until))
        if answer.status is None or answer.status == _BAD[0] or answer.status >= _BAD[1] or came_too_late(answer):
            self.in_a_row[account].append(answer)
            self.is_well.setdefault(account, False)
        else:
            self.in_a_row.pop(account, None)
            self.is_well[account] = True

    def accounts(self, now: datetime) -> frozenset[str]:
        """Return the providers that get no requests now."""
        closed = {account for account, until in self.until.items() if until > now}
        failing = {account for account, row in self.in_a_row.items() if self._is_of_account(account, row)}
        return frozenset(closed | failing)

    def throttled(self) -> frozenset[str]:
        """Return the providers whose newest response was throttled."""
        return frozenset(account for account, row in self.in_a_row.items() if row[-1].status == _BAD[0])

    def _is_of_account(self, account: str, row: list[ProviderRequest]) -> bool:
        is_of_jobs = self.is_well.get(account, False) and all((each.fault or "").startswith(ONE_JOB) for each in row)
        return len(row) >= _FAILURES_MAX and not is_of_jobs


@dataclass(slots=True)
class _Known:
    """What a pass that begins now would know, and what would disturb it."""

    revision: Revision | None = None
    statuses: dict[str, bytes] = field(default_factory=dict)
    is_key_right: bool = True
    quiet: _Quiet = field(default_factory=_Quiet)

    def begin(self, at: datetime) -> PassRecord | None:
        if self.revision is None:
            return None
        resting = self.quiet.accounts(at)
        self.quiet.is_well.clear()
        return PassRecord(at, self.revision, dict(self.statuses), resting, self.quiet.throttled(), self.is_key_right)

    def take_in(self, event: Event) -> None:
        match event:
            case Edited(revision=revision):
                self.revision = revision
            case FaultsEnded() | ExternalEvent(kind="key changed"):
                self.is_key_right = isinstance(event, FaultsEnded) or event.what == "right"
            case ProviderRequest():
                self.quiet.take_in(event)
            case Crashed():
                self.quiet = _Quiet()
                self.statuses = dict(event.statuses)
            case _:
                self._take_in_statuses(event)

    def _take_in_statuses(self, event: Event) -> None:
        match event:
            case PassEnded(statuses=left):
                self.statuses = dict(left)
            case FileWritten(path=path, data=data) | Tampered(path=path, data=bytes(data)):
                self.statuses[path] = data
            case FileRemoved(path=path) | Tampered(path=path):
                self.statuses.pop(path, None)
