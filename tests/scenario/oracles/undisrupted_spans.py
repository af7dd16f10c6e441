"""The times in which nothing disturbs a job, so that a watch must keep all of its promises.

Rules: a fault of one account or job does not excuse a delay of another account or job. But the jobs of both kinds at a
provider share a throttle and a circuit, so a failure for one kind may delay the other kind. After failed responses, a
watch may delay the next observation: twice as long after each failure, up to a quarter of an hour, or as long as the
provider requested. If this module allows too much time, an oracle misses a bug; if it allows too little, an oracle
reports a bug that does not exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.scenario.batch_services import provider_of
from tests.scenario.disruptions import EVENTS_MISSED, KEY_LOST, Disruption
from tests.scenario.history import ABSENT, Crashed, History, ProviderRequest, StopRequested, WatchStarted

BACKOFF_MAX = timedelta(seconds=900)
INTERVAL = timedelta(seconds=75)
"""The maximum time until the next observation after a permanent failure."""
_MEMORY = timedelta(minutes=40)
"""For this time, a failed response still extends the wait after the next failed response."""
_NO_EXCUSE = {None, "clocks disagree", "no-date", "absurd-times", "lost-cancel", "late-cancel"}
"""Faults of responses that still show the provider's decision."""
_QUICK = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Span:
    """A time with a beginning and an end."""

    since: datetime
    until: datetime

    @property
    def length(self) -> timedelta:
        """The length of the span. A negative length means an empty span."""
        return self.until - self.since

    def within(self, other: Span) -> Span:
        """Return the intersection of two spans."""
        return Span(max(self.since, other.since), min(self.until, other.until))


def clear_spans(history: History, account: str, job_id: str | None = None) -> list[Span]:
    """Return the times in which nothing disturbs one job, or a whole account."""
    end = history.events[-1].at
    blocked = [
        *_not_running(history),
        *_disrupted(history, account, job_id),
        *_badly_answered(history, account, job_id),
    ]
    return list(_gaps(blocked, Span(history.began_at, end)))


def common(one: list[Span], other: list[Span]) -> list[Span]:
    """Return the intersections of two lists of spans."""
    return [both for each in one for also in other if (both := each.within(also)).length > timedelta(0)]


def _gaps(blocked: Iterable[Span], whole: Span) -> Iterator[Span]:
    since = whole.since
    for each in sorted(blocked, key=lambda span: span.since):
        if each.since > since:
            yield Span(since, each.since)
        since = max(since, each.until)
    if whole.until > since:
        yield Span(since, whole.until)


def _not_running(history: History) -> Iterator[Span]:
    since: datetime | None = history.began_at
    for event in history.events:
        match event:
            case WatchStarted(at=at) if since is not None:
                yield Span(since, at)
                since = None
            case StopRequested(at=at) | Crashed(at=at) if since is None:
                since = at
    if since is not None:
        yield Span(since, history.events[-1].at)


def _disrupted(history: History, account: str, job_id: str | None) -> Iterator[Span]:
    for event in history.events:
        if not isinstance(event, Disruption) or event.kind.startswith(EVENTS_MISSED):
            continue
        is_of_job = event.job_id is None or (event.account, event.job_id) == (account, job_id)
        if is_of_job and (event.account is None or provider_of(event.account) == provider_of(account)):
            is_of_all = event.account is None and event.kind != KEY_LOST
            lasted = min(event.until - event.at, BACKOFF_MAX)
            yield Span(event.at, event.until + (INTERVAL if is_of_all else max(INTERVAL, lasted)))


def _badly_answered(history: History, account: str, job_id: str | None) -> Iterator[Span]:
    """Yield the time from each failed response until the job, or its account, must have been observed again."""
    bad: list[datetime] = []
    of_one_job = [each for each in history.events if isinstance(each, Disruption) and each.job_id is not None]
    for event in history.events:
        if not isinstance(event, ProviderRequest) or provider_of(event.account) != provider_of(account):
            continue
        if not is_good(event):
            bad = [at for at in bad if event.ended_at - at < _MEMORY] + [event.ended_at]
            is_of_job = event.account == account and job_id in {None, event.job_id}
            if is_of_job or not _is_of_one_job(of_one_job, event):
                doubled = min(timedelta(seconds=1 << min(len(bad), 20)), BACKOFF_MAX)
                asked = timedelta(seconds=event.retry_after_s or 0)
                yield Span(event.at, event.ended_at + max(doubled, INTERVAL, asked) + _QUICK)


def _is_of_one_job(of_one_job: Iterable[Disruption], answer: ProviderRequest) -> bool:
    """Return whether one of these faults affected only requests for this job."""
    return any(
        (each.account, each.job_id) == (answer.account, answer.job_id) and each.at <= answer.at <= each.until
        for each in of_one_job
    )


def is_good(answer: ProviderRequest) -> bool:
    """Return whether a response was fast, complete and true."""
    if answer.verb == "list" and answer.fault == "stale-read":
        return True  # a stale list delays nothing, because the jobs that matter are retrieved by ID
    if answer.fault not in _NO_EXCUSE or answer.ended_at - answer.at > _QUICK:
        return False
    return answer.is_well or ABSENT in answer.words.values()
