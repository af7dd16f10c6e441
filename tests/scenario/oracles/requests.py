"""Whether each request that the provider received was right.

Rules: the oracle uses the provider's log and the specs, and never the statuses.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import reduce

from tests.scenario.batch_services import provider_of
from tests.scenario.disruptions import RetryRequested
from tests.scenario.history import (
    ChangeSent,
    Crashed,
    Edited,
    EditsRead,
    Event,
    ExternalEvent,
    FileRemoved,
    FileWritten,
    History,
    NoChangeExpected,
    PassEnded,
    PassStarted,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.costs import is_over_cost
from tests.scenario.oracles.status_yaml import OVER
from tests.scenario.provider import ODDLY_TAKEN
from tests.scenario.repository import JobSpec, Revision

BURST = 10
PER_SECOND = 5.0
SKEW = timedelta(minutes=5)
_TICK = timedelta(milliseconds=1)
"""The tolerance for times: virtual time has microseconds, and sums of them are rounded."""
MAY = {
    "cancel": {"validating_files", "queued", "running", "pausing", "paused"},
    "pause": {"validating_files", "queued", "running"},
    "resume": {"paused"},
}
_CLEAR = {None, *ODDLY_TAKEN}
_TAKEN = {*_CLEAR, "lost-cancel", "late-cancel", "clocks disagree"}
"""Faults of requests that were accepted nevertheless: the response has a status of 2xx."""
_WANTS = {"cancel": "cancelled", "pause": "paused", "resume": "running"}


def unwanted_change(history: History) -> Iterator[str]:
    """Yield the requests that no valid document required.

    A document must have required the change in the revision of the pass. When the request is sent, the document must
    still be unchanged, and the Settings must allow the change. Other changes since the start of the pass (a Provider
    document, a second spec for the job) apply from the next pass.
    """
    known = _KnownSpecs()
    decided: dict[tuple[str, str, str], tuple[Revision, Revision]] = {}
    for event in history.events:
        known.take_in(event)
        match event:
            case ChangeSent() if known.now is not None and (then := known.readable()) is not None:
                decided[event.account, event.job_id, event.verb] = (then, known.now)
            case ProviderRequest(is_change=True, job_id=str(job_id)):
                why = _objection(history, event, decided.get((event.account, job_id, event.verb)))
                if why is not None:
                    yield f"{event.at:%T} {event.verb} of {job_id}, {why}"


@dataclass(slots=True)
class _KnownSpecs:
    """The specs of the newest revision, and those that the current pass can use."""

    now: Revision | None = None
    at_begin: Revision | None = None
    is_read: bool = False
    """Whether the pass has read the specs. Its first request comes later."""
    refused: set[str] = field(default_factory=set)
    """The paths that the disk has refused since the pass began."""

    def readable(self) -> Revision | None:
        """Return the specs at the start of the pass without those that the disk refused; None before the first pass."""
        return self.at_begin and reduce(Revision.without, self.refused, self.at_begin)

    def take_in(self, event: Event) -> None:
        """Take in the next event of a history."""
        match event:
            case Edited(revision=new):
                self.now = new
            case PassStarted():
                self.at_begin, self.is_read, self.refused = self.now, False, set()
            case EditsRead(files=files) if self.at_begin and self.now:
                self.at_begin = self.at_begin.with_files(self.now, files)
            case ExternalEvent(kind="disk refuses", what=path) if self.is_read:
                self.refused.add(path)
            case ExternalEvent(kind="disk refuses", what=path):
                self.at_begin = self.at_begin and self.at_begin.without(path)
            case ExternalEvent(kind="disk yields", what=path):
                self.refused.discard(path)
            case ProviderRequest():
                self.is_read = True


def _objection(history: History, request: ProviderRequest, decided: tuple[Revision, Revision] | None) -> str | None:
    """Return why a request was wrong, or None. `decided` has the specs at the start of its pass and at its sending."""
    then, now = decided or (Revision(job_specs=(), accounts={}), None)
    job_spec = then.wish_for(request.account, str(request.job_id))
    if now is None or job_spec is None:
        return "although no valid spec names it"
    if _is_halted(then) or _is_halted(now) or job_spec.is_suspended(request.at):
        return "although changes are suspended"
    if job_spec not in now.readable():
        return "although its spec changed meanwhile"
    return None if _is_wanted(history, job_spec, request) else f"although its spec desires {job_spec.desired}"


def _is_halted(revision: Revision) -> bool:
    return revision.is_settings_broken or revision.is_suspended


def _is_wanted(history: History, job_spec: JobSpec, request: ProviderRequest) -> bool:
    if job_spec.desired == _WANTS[request.verb]:
        return True
    return request.verb == "cancel" and job_spec.desired != "observed" and is_over_limit(history, job_spec, request.at)


def is_over_limit(history: History, job_spec: JobSpec, at: datetime) -> bool:
    """Return whether a job exceeds a limit by the provider's clock, which may be ahead within a tolerance."""
    latest = at + SKEW
    if job_spec.not_after is not None and latest > job_spec.not_after:
        return True
    if is_over_cost(history, job_spec, latest):
        return True
    created_at = history.created_at(job_spec.account, job_spec.job_id, at)
    if created_at is None:
        return False
    age = latest - created_at
    return (job_spec.max_age is not None and age > job_spec.max_age) or (
        job_spec.max_queued is not None and age > job_spec.max_queued
    )


def change_before_observation(history: History) -> Iterator[str]:
    """Yield the requests before which the same pass had not retrieved the job in a phase that allows them.

    A list can show an earlier state, so no request may depend on its rows. An account worker may outlive its pass, so
    the retrieves of a pass count until a pass has ended and another pass has started.
    """
    words: dict[tuple[str, str], str] = {}
    is_ended = False
    used: set[tuple[str, str, str]] = set()
    for event in history.events:
        match event:
            case PassEnded() | Crashed():
                is_ended = True
            case PassStarted():
                used.clear()
                if is_ended:
                    words.clear()
                    is_ended = False
            case ProviderRequest(is_change=True, job_id=str(job_id)):
                word = words.get((event.account, job_id))
                if word not in MAY[event.verb]:
                    yield f"{event.at:%T} {event.verb} of {job_id}, which this pass observed as {word}"
                if (event.account, job_id, event.verb) in used:
                    yield f"{event.at:%T} {event.verb} of {job_id} twice in one pass"
                used.add((event.account, job_id, event.verb))
            case ProviderRequest(verb="retrieve") if not came_too_late(event):
                words.update({(event.account, job): word for job, word in event.words.items()})


def came_too_late(answer: ProviderRequest) -> bool:
    """Return whether the response arrived after the process had stopped waiting."""
    return answer.ended_at - answer.at > timedelta(seconds=45)


def excess_cancels(history: History) -> Iterator[str]:
    """Yield the jobs that were cancelled more often than law 6 allows.

    One cancel is allowed, and one more for each of these: an ambiguous response or a refusal, a cancel without effect,
    a renewed request in the spec, a requested retry, a crash, a full disk, damage to a status, and a job that ended
    and ran again.
    """
    posts: Counter[tuple[str, str]] = Counter()
    allowed: defaultdict[tuple[str, str], int] = defaultdict(lambda: 1)
    everyone = 0
    wanted: dict[tuple[str, str], bool] = {}
    for event in history.events:
        match event:
            case ProviderRequest(verb="cancel", job_id=str(job_id)):
                key = (event.account, job_id)
                posts[key] += 1
                is_in_vain = history.truth(*key, event.ended_at + timedelta(seconds=1)) not in {*OVER, "cancelling"}
                allowed[key] += not (event.is_well and event.fault in _CLEAR) or is_in_vain
            case Crashed() | Tampered() | RetryRequested() | ExternalEvent(kind="disk full"):
                everyone += 1
            case Edited(revision=revision):
                for job_spec in revision.job_specs:
                    key = (job_spec.account, job_spec.job_id)
                    now = revision.wish_for(*key) is not None and (
                        job_spec.desired == "cancelled" or job_spec.has_limits
                    )
                    allowed[key] += now and not wanted.get(key, False)
                    wanted[key] = now
                for key in wanted.keys() - {(each.account, each.job_id) for each in revision.job_specs}:
                    wanted[key] = False
    for key, count in posts.items():
        enough = allowed[key] + everyone + (history.back_at(*key) is not None)
        if count > enough:
            yield f"{count} cancels for {'/'.join(key)}; at most {enough} are allowed"


def rate_limit_exceeded(history: History) -> Iterator[str]:
    """Yield the requests that were sent before the provider's requested pause ended, and those above the rate limit.

    Requests for jobs of both kinds share the pause and the rate.
    """
    served = sorted((each for each in history.events if isinstance(each, ProviderRequest)), key=lambda each: each.at)
    has_rate_limits = any(isinstance(each, Edited) and each.revision.has_rate_limits for each in history.events)
    for process in {(provider_of(each.account), each.life) for each in served}:
        requests = [each for each in served if (provider_of(each.account), each.life) == process]
        yield from _before_retry_after(requests)
        yield from _beyond_rate(requests) if has_rate_limits else ()


def _before_retry_after(requests: list[ProviderRequest]) -> Iterator[str]:
    bounds: list[tuple[datetime, datetime]] = []
    for each in requests:
        if any(told_at < each.at < until - _TICK for told_at, until in bounds):
            yield f"{each.at:%T} {each.verb} {each.account} before the pause that the provider requested had ended"
        if each.retry_after_s is not None and each.status in {429, 503}:
            bounds.append((each.ended_at, each.ended_at + timedelta(seconds=each.retry_after_s)))


def _beyond_rate(requests: list[ProviderRequest]) -> Iterator[str]:
    since, level = requests[0].at, 0.0
    for each in requests:
        level = max(0.0, level - (each.at - since).total_seconds() * PER_SECOND) + 1
        since = each.at
        if level > BURST + 1:
            yield f"{each.at:%T} {each.verb}: more than {BURST} at once and {PER_SECOND:g} a second"


def early_retry(history: History) -> Iterator[str]:
    """Yield the repeats within ten minutes of an accepted request, or within five seconds of any other request.

    Two requests are not repeats if an edit, a crash, a requested retry, a damaged status, a full disk or a revival of
    the job is between them.
    """
    before: dict[tuple[str, str, str], ProviderRequest] = {}
    for event in history.events:
        match event:
            case Crashed() | Tampered() | Edited() | RetryRequested() | ExternalEvent(kind="disk full"):
                before.clear()
            case ProviderRequest(is_change=True, job_id=str(job_id)):
                key = (event.account, job_id, event.verb)
                last = before.get(key)
                back_at = history.back_at(event.account, job_id)
                is_anew = last is None or (back_at is not None and last.at <= back_at)
                if last is not None and not is_anew and event.at - last.at < _patience(last):
                    yield f"{event.at:%T} {event.verb} of {job_id} repeated after {event.at - last.at}"
                before[key] = event


def _patience(last: ProviderRequest) -> timedelta:
    if last.status == 429:
        return timedelta(0)
    # The times in a receipt are whole seconds, so a repeat may be sent up to a second early.
    return timedelta(minutes=10, seconds=-1) if last.is_well and last.fault in _TAKEN else timedelta(seconds=4)


def change_limit_exceeded(history: History) -> Iterator[str]:
    """Yield the hours with more first requests than the change limits allow.

    Runs with strict change limits do not edit statuses, because the statuses record the changes of the last hour.
    """
    first: dict[tuple[str, str, str], datetime] = {}
    for event in history.events:
        # A throttled request has no effect, so it does not count as an attempt.
        if isinstance(event, ProviderRequest) and event.is_change and event.job_id and event.status != 429:
            first.setdefault((event.account, event.job_id, event.verb), event.at)
    times = sorted(first.values())
    most = history.most_an_hour
    for early, late in zip(times, times[most:], strict=False) if most is not None else ():
        if late - early < timedelta(minutes=59):
            yield f"{early:%T} to {late:%T}: more than {most} first requests"


def change_after_convergence(history: History) -> Iterator[str]:
    """Yield the requests and writes after everything should have settled."""
    is_quiet = False
    for event in history.events:
        match event:
            case NoChangeExpected():
                is_quiet = True
            case FileWritten(path=path) | FileRemoved(path=path) if is_quiet:
                yield f"{event.at:%T} {path} was written or removed, although nothing had changed"
            case ProviderRequest(is_change=True) if is_quiet:
                yield f"{event.at:%T} {event.verb} of {event.job_id}, although nothing had changed"
