"""Whether the health of a watch is reported truthfully, at each time at which it is requested."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenario.batch_services import batches_of, provider_of
from tests.scenario.disruptions import EVENTS_MISSED, KEY_LOST, Disruption
from tests.scenario.history import (
    Crashed,
    Edited,
    Event,
    ExternalEvent,
    FaultsEnded,
    FileWritten,
    HealthShown,
    History,
    PassStarted,
    ProviderRequest,
    StopRequested,
    WatchStarted,
)
from tests.scenario.oracles.status_yaml import OVER, is_job, job_of, read
from tests.scenario.oracles.undisrupted_spans import Span, clear_spans, common
from tests.scenario.repository import Revision

SOON = timedelta(seconds=90)
"""After this time without faults, a watch is ready and knows every edit."""
TOLD_WITHIN = timedelta(seconds=125)
"""The maximum time until a problem is reported: two intervals, and the time until the next health request."""
_TICK = timedelta(milliseconds=1)
"""The tolerance for times: virtual time has microseconds, and sums of them are rounded."""
_UNASKED = {KEY_LOST, "cannot be opened", "disk refuses"}
"""The disruptions in which an account gets no request although it is reported as unobserved."""

Job = tuple[str, str]


def early_readiness(history: History) -> Iterator[str]:
    """Yield the times at which a watch was ready before each account with an unfinished job had responded or failed."""
    revision: Revision | None = None
    heard: set[str | None] = set()
    final: set[Job] = set()
    accounts = history.accounts()
    has_been_ready, began_at = True, history.began_at
    for event in history.events:
        match event:
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                (final.add if tree["status"]["final"] else final.discard)((accounts[job[0]], job[1]))
            case Edited(revision=new):
                revision = new
            case WatchStarted():
                began_at, heard, has_been_ready = event.at, set(), False
            case ProviderRequest(account=account):
                # After a failure, the provider may get no request for jobs of the other kind either.
                heard.update([account] if event.is_well else [provider_of(account), batches_of(provider_of(account))])
            case HealthShown(readiness_problems=()) if not has_been_ready and revision is not None:
                has_been_ready = True
                disrupted = (each for each in _disruptions(history) if began_at <= each.until and each.at <= event.at)
                excused = {each.account and provider_of(each.account) for each in disrupted if each.kind in _UNASKED}
                silent = sorted(_open(history, revision, event.at, final) - heard)
                missing = [each for each in silent if provider_of(each) not in excused]
                if missing and None not in excused:
                    yield f"{event.at:%T} ready, although {missing} neither responded nor failed since the watch began"


def _open(history: History, revision: Revision, at: datetime, final: set[Job]) -> set[str]:
    """Return the accounts with a possibly unfinished job that a spec names. An ended job may be deleted later."""
    named = {(each.account, each.job_id) for each in revision.valid()} - final
    return {account for account, job_id in named if history.truth(account, job_id, at) not in OVER}


def _disruptions(history: History) -> list[Disruption]:
    return [each for each in history.events if isinstance(each, Disruption)]


def wrong_readiness(history: History) -> Iterator[str]:
    """Yield the times at which a watch was not ready without a reason, or ready although the Settings are invalid."""
    clear = _all_clear(history)
    revision: Revision | None = None
    edited_at = history.began_at
    for event in history.events:
        match event:
            case Edited(revision=new):
                if revision is None or new.is_settings_broken != revision.is_settings_broken:
                    edited_at = event.at
                revision = new
            case HealthShown(at=at, readiness_problems=readiness_problems) if (
                revision is not None and at - edited_at > SOON
            ):
                is_clear = any(each.since + SOON < at < each.until for each in clear)
                if is_clear and bool(readiness_problems) is not revision.is_settings_broken:
                    yield f"{at:%T} the watch reports: {'; '.join(readiness_problems) or 'ready'}"


def _all_clear(history: History) -> list[Span]:
    """Return the times in which nothing disturbs any account."""
    clear = [Span(history.began_at, history.events[-1].at)]
    for account in history.worlds:
        clear = common(clear, clear_spans(history, account))
    return clear


def understated_age(history: History) -> Iterator[str]:
    """Yield the accounts whose reported observation time is later than that of their least recently observed job."""
    known = _Known()
    for event in history.events:
        known.take(event)
        if isinstance(event, HealthShown):
            yield from (f"{event.at:%T} {each}" for each in known.denied(event))


@dataclass(slots=True)
class _Known:
    """The jobs that one process knows and must observe."""

    revision: Revision | None = None
    lines: dict[str, str] = field(default_factory=dict)
    wanted_at: dict[Job, datetime] = field(default_factory=dict)
    seen_at: dict[Job, datetime] = field(default_factory=dict)
    final: set[Job] = field(default_factory=set)

    def take(self, event: Event) -> None:
        match event:
            case Edited(revision=revision):
                self.revision, self.lines = revision, revision.lines()
            case WatchStarted():
                self.wanted_at, self.seen_at = {}, {}
            case PassStarted(at=at) if self.revision is not None:
                self.wanted_at = {job: self.wanted_at.get(job, at) for job in _jobs(self.revision)}
            case ExternalEvent(kind="disk refuses", what=path) if self.revision and not path.startswith("specs/status"):
                # The jobs of an unreadable file must be observed only after the file can be read again.
                left = _jobs(self.revision.without(path).without_provider(path))
                self.wanted_at = {job: at for job, at in self.wanted_at.items() if job in left}
            case ProviderRequest(account=account, words=words):
                self.seen_at.update({(account, job_id): event.ended_at for job_id in words})
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                here = (self.lines[job[0]], job[1])
                (self.final.add if tree["status"]["final"] else self.final.discard)(here)

    def denied(self, shown: HealthShown) -> Iterator[str]:
        for line, claim in shown.seen_at.items():
            for job, wanted_at in self.wanted_at.items():
                if job[0] != self.lines[line] or job in self.final:
                    continue
                seen_at = self.seen_at.get(job)
                latest = wanted_at if seen_at is None else max(seen_at, wanted_at)
                if claim > latest + _TICK:
                    yield f"{job[0]} is reported as observed at {claim:%T}, and {job[1]} was at {latest:%T}"


def _jobs(revision: Revision) -> set[Job]:
    return {(each.account, each.job_id) for each in revision.valid()}


def wrong_liveness(history: History) -> Iterator[str]:
    """Yield the times at which a watch reported a liveness problem wrongly, or did not report an existing problem."""
    disruptions = _disruptions(history)
    missed = [each for each in disruptions if each.kind.startswith(EVENTS_MISSED) and each.kind != EVENTS_MISSED]
    git = [each for each in disruptions if each.kind.startswith("remote")]
    excuses = {"the specs are not watched": missed, "a request or a pass hangs": git, "the event loop is blocked": []}
    for event in history.events:
        if isinstance(event, HealthShown):
            for ill in {each.split(":")[0] for each in event.liveness_problems}:
                if not any(each.at < event.at <= each.until + SOON for each in excuses[ill]):
                    yield f"{event.at:%T} the watch reports without a cause: {ill}"
    yield from _untold(history, missed)


def _untold(history: History, known: list[Disruption]) -> Iterator[str]:
    """Yield the times by which a watch should have reported that it does not notice changes."""
    missed = [each for each in _disruptions(history) if each.kind.startswith(EVENTS_MISSED)]
    calmed_at = next((each.at for each in history.events if isinstance(each, FaultsEnded)), history.events[-1].at)
    for each in known:
        # Overlapping disruptions share one notifier. The first of them to end makes it report all changes again.
        until = min([other.until for other in missed if other.until > each.at] + [calmed_at])
        for life in lives(history):
            told_by = max(each.at, life.since) + TOLD_WITHIN
            if told_by < min(until, life.until):
                shown = [event for event in history.events if isinstance(event, HealthShown) and event.at <= told_by][
                    -1
                ]
                if not any("not watched" in text for text in shown.liveness_problems):
                    yield f"{told_by:%T} the watch has not reported that the specs are not watched"


def lives(history: History) -> Iterator[Span]:
    """Yield the lifetime of each watch process, until it crashes or is requested to end."""
    since: datetime | None = None
    for event in history.events:
        match event:
            case WatchStarted(at=at):
                since = at
            case StopRequested(at=at) | Crashed(at=at) if since is not None:
                yield Span(since, at)
                since = None
