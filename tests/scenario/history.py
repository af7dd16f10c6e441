"""The events of one run, which are the only input of the oracles.

Rules: a record contains what happened, and never whether it was right. The true state of a job at any earlier time is
that of the world. Everything prints as one readable line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from reconciler.sandbox.world import UnknownJobError
from tests.scenario.batch_services import WITHOUT_TIMES
from tests.scenario.disruptions import Disruption, Published, RetryRequested
from tests.scenario.price_book import PriceBook
from tests.scenario.repository import Revision
from tests.scenario.reviving_world import RevivingWorld

ABSENT = "absent"
_MOMENT = timedelta(microseconds=1)
INTACT = 200


@dataclass(frozen=True, slots=True)
class Edited:
    """The specs changed to this revision."""

    at: datetime
    what: str
    revision: Revision


@dataclass(frozen=True, slots=True)
class ExternalEvent:
    """A fault, or an action of another person."""

    at: datetime
    kind: str
    what: str


@dataclass(frozen=True, slots=True)
class Tampered:
    """Another process changed a status file."""

    at: datetime
    path: str
    what: str
    data: bytes | None
    """The contents of the file, or None if it was removed."""


@dataclass(frozen=True, slots=True)
class WatchStarted:
    """A process began to watch at this time."""

    at: datetime


@dataclass(frozen=True, slots=True)
class StopRequested:
    """A stop of the watch was requested."""

    at: datetime


@dataclass(frozen=True, slots=True)
class WatchEnded:
    """The watch and its process ended."""

    at: datetime
    statuses: Mapping[str, bytes]
    """The whole status tree, by relative path."""


@dataclass(frozen=True, slots=True)
class PassStarted:
    """The product read the specs, with which a pass begins."""

    at: datetime
    is_scan: bool = True
    """Whether the pass read every file, and not only those that appear to have changed."""


@dataclass(frozen=True, slots=True)
class EditsRead:
    """Between two passes, the product read edited files, whose changes it may request before the next pass."""

    at: datetime
    files: frozenset[str]
    """The paths of the files, relative to the specs directory."""


@dataclass(frozen=True, slots=True)
class PassEnded:
    """The loop finished a pass, or all passes of `--once`. `report` contains the whole report as text."""

    at: datetime
    report: str
    errors: tuple[str, ...]
    statuses: Mapping[str, bytes]
    """The whole status tree, by relative path."""
    is_single_pass: bool = True
    """Whether the report is of one pass over all specs. A report of several passes combines them."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The watch reported a pass. `report` contains the whole report as text."""

    at: datetime
    report: str
    errors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Logged:
    """The watch wrote a line to its log."""

    at: datetime
    message: str
    account: str | None
    """The account's text in statuses, or None if the line concerns no account."""


@dataclass(frozen=True, slots=True)
class HealthShown:
    """The health that the watch reports from this time on."""

    at: datetime
    readiness_problems: tuple[str, ...]
    """Why the watch is not ready."""
    liveness_problems: tuple[str, ...]
    """What prevents the watch itself from working, as its liveness probe reports it."""
    seen_at: Mapping[str, datetime]
    """When each account was last observed completely, by the account's text in statuses."""


@dataclass(frozen=True, slots=True)
class ChangeSent:
    """A change request has left the process and is about to arrive."""

    at: datetime
    account: str
    job_id: str
    verb: str


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """One request that the provider received, and its response."""

    at: datetime
    ended_at: datetime
    life: int
    account: str
    verb: str
    job_id: str | None
    status: int | None
    """The HTTP status, or None if there was no complete response."""
    fault: str | None
    retry_after_s: float | None
    words: Mapping[str, str]
    """The status of each job in the response; `absent` for the provider's own not-found error."""
    dated: datetime | None = None
    """The time in the `Date` header, or None."""

    @property
    def is_change(self) -> bool:
        """Whether the request was for a change."""
        return self.verb in {"cancel", "pause", "resume"}

    @property
    def is_well(self) -> bool:
        """Whether the response had a status of 2xx."""
        return self.status is not None and INTACT <= self.status < 300


@dataclass(frozen=True, slots=True)
class Audited:
    """The outcome of a change request was written to the audit log."""

    at: datetime
    account: str
    job_id: str
    verb: str
    outcome: str


@dataclass(frozen=True, slots=True)
class FileWritten:
    """These bytes were written to a file of the status tree."""

    at: datetime
    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class FileRemoved:
    """The loop removed a file of the status tree."""

    at: datetime
    path: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """The machine went down right before this effect, and the disk lost unsynced data."""

    at: datetime
    before: str
    statuses: Mapping[str, bytes]
    """The status tree after the crash."""


@dataclass(frozen=True, slots=True)
class FaultsEnded:
    """From now on there are no faults and no edits."""

    at: datetime
    revision: Revision
    world_states: Mapping[str, str]
    """The state of each world, for another run that begins here."""


@dataclass(frozen=True, slots=True)
class NoChangeExpected:
    """From now on nothing should change."""

    at: datetime


Event = (
    Edited
    | ExternalEvent
    | Tampered
    | WatchStarted
    | StopRequested
    | WatchEnded
    | PassStarted
    | EditsRead
    | PassEnded
    | Reported
    | Logged
    | HealthShown
    | ChangeSent
    | ProviderRequest
    | Audited
    | FileWritten
    | FileRemoved
    | Crashed
    | FaultsEnded
    | NoChangeExpected
    | Disruption
    | Published
    | RetryRequested
)  # fmt: skip


@dataclass(slots=True)
class History:
    """One run. `worlds` has the world of each account, by the account's name in a revision."""

    seed: int
    began_at: datetime
    worlds: Mapping[str, RevivingWorld]
    most_an_hour: int | None = None
    """The number of first requests that the limits of this run allow in an hour. None means no limit."""
    prices: PriceBook | None = None
    """The prices of the operator's file, and what the cancels of an hour may cost. None means no prices."""
    events: list[Event] = field(default_factory=list)
    lives: int = 0
    effects: int = 0

    @property
    def left(self) -> PassEnded | WatchEnded:
        """The end of the run, with the remaining statuses."""
        return next(each for each in reversed(self.events) if isinstance(each, PassEnded | WatchEnded))

    @property
    def first_revision(self) -> Revision:
        """The specs at the start of the run."""
        return next(each.revision for each in self.events if isinstance(each, Edited))

    def accounts(self) -> dict[str, str]:
        """Return each account's name, by its text in statuses."""
        return self.first_revision.lines()

    def truth(self, account: str, job_id: str, at: datetime) -> str:
        """Return the true phase of the job at a given time; `absent` if it does not exist."""
        try:
            return self.worlds[account].retrieve(job_id, at).phase.value
        except UnknownJobError:
            return ABSENT

    def created_at(self, account: str, job_id: str, at: datetime) -> datetime | None:
        """Return the creation time that the provider reports for a job, or None if it reports none."""
        if self.first_revision.service(account).type in WITHOUT_TIMES:
            return None
        return self.exists_since(account, job_id, at)

    def exists_since(self, account: str, job_id: str, at: datetime) -> datetime | None:
        """Return the true creation time of a job, or None if it does not exist at this time."""
        try:
            return self.worlds[account].retrieve(job_id, at).created_at
        except UnknownJobError:
            return None

    def back_at(self, account: str, job_id: str) -> datetime | None:
        """Return when an ended job began to run again, or None if it never did."""
        return self.worlds[account].back.get(job_id)

    def was(self, account: str, job_id: str, at: datetime) -> set[str]:
        """Return the true phases of a job: its phase at a given time, and those right before it was revived or cut."""
        world = self.worlds[account]
        moments = [self.back_at(account, job_id), *(cut_at for cut_at, _ in world.cuts.get(job_id, ()))]
        before = {self.truth(account, job_id, each - _MOMENT) for each in moments if each is not None and each <= at}
        return {self.truth(account, job_id, at), *before}

    def lines(self) -> list[str]:
        """Return the history as text."""
        return [f"{_clock(each.at - self.began_at)}  {_told(each)}" for each in self.events]


def _clock(span: timedelta) -> str:
    seconds = span.total_seconds()
    return f"{int(seconds // 3600):02}:{int(seconds // 60) % 60:02}:{seconds % 60:06.3f}"


def _told(event: Event) -> str:
    return f"{type(event).__name__.upper():10} {_TELLERS[type(event)](event)}".rstrip()


def _served(event: ProviderRequest) -> str:
    seen = ", ".join(f"{job} {word}" for job, word in event.words.items())
    answer = "no answer" if event.status is None else str(event.status)
    fault = f" [{event.fault}]" if event.fault else ""
    return f"{event.verb} {event.account}/{event.job_id or ''} -> {answer}{fault} {seen}"


def _shown(event: HealthShown) -> str:
    ages = ", ".join(f"{account} {event.at - at}" for account, at in event.seen_at.items())
    readiness, liveness = "; ".join(event.readiness_problems), "; ".join(event.liveness_problems)
    return f"{readiness or 'ready'} | {liveness or 'well'} | unobserved for: {ages}"


_TELLERS: Mapping[type, Callable[[Any], str]] = {
    Edited: lambda event: event.what,
    ExternalEvent: lambda event: f"{event.kind}: {event.what}",
    Tampered: lambda event: f"{event.path}: {event.what}",
    WatchStarted: lambda _: "a watch",
    StopRequested: lambda _: "",
    WatchEnded: lambda _: "the watch",
    PassStarted: lambda event: "" if event.is_scan else "what has changed",
    EditsRead: lambda event: ", ".join(sorted(event.files)),
    PassEnded: lambda event: "; ".join(event.errors),
    Reported: lambda event: "; ".join(event.errors),
    Logged: lambda event: event.message,
    HealthShown: _shown,
    ChangeSent: lambda event: f"{event.verb} {event.account}/{event.job_id}",
    ProviderRequest: _served,
    Audited: lambda event: f"{event.verb} {event.account}/{event.job_id}: {event.outcome}",
    FileWritten: lambda event: f"{event.path}: {_gist(event.data)}",
    FileRemoved: lambda event: event.path,
    Crashed: lambda event: f"before {event.before}",
    FaultsEnded: lambda _: "no faults and no edits from now on",
    NoChangeExpected: lambda _: "no change is expected from now on",
    Disruption: lambda event: f"{event.kind} of {event.account or 'all'} {event.job_id or ''} until {event.until:%T}",
    Published: lambda event: f"{len(event.statuses)} statuses",
    RetryRequested: lambda event: event.name,
}


def _gist(data: bytes) -> str:
    wanted = ("phase:", "final:", "reason:", "attempts:", "outcome:", "message:")
    found = [
        line.strip(" -") for line in data.decode(errors="replace").splitlines() if line.strip(" -").startswith(wanted)
    ]
    return " | ".join(found[:6])
