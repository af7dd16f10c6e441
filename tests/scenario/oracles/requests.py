"""Whether every request that reached the provider was right to be sent.

Rules: judged from what the provider saw and what the people had written, never from what we say of ourselves.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.scenario.history import (
    ABSENT,
    Called,
    Calmed,
    Crashed,
    Edited,
    Happened,
    History,
    PassBegun,
    Put,
    Served,
    Tampered,
)
from tests.scenario.oracles.reading import OVER
from tests.scenario.repository import Revision, Wish

BURST = 10
PER_SECOND = 5.0
SKEW = timedelta(minutes=5)
_MAY = {
    "cancel": {"validating_files", "queued", "running", "pausing", "paused"},
    "pause": {"validating_files", "queued", "running"},
    "resume": {"paused"},
}
_WANTS = {"cancel": "cancelled", "pause": "paused", "resume": "running"}


def unasked(history: History) -> Iterator[str]:
    """Tell the requests that no valid document asked for, from the decision to send it until it arrived.

    The spec is read once more before a request waits for its turn at the account's gate, so an edit during that wait
    comes too late: what counts is that somebody wanted it at the moment of the decision.
    """
    revision: Revision | None = None
    decided: dict[tuple[str, str, str], Revision] = {}
    for event in history.events:
        match event:
            case Edited(revision=new):
                revision = new
            case Called() if revision is not None:
                decided[event.account, event.job_id, event.verb] = revision
            case Served(is_change=True, job_id=str(job_id)):
                at_decision = decided.get((event.account, job_id, event.verb))
                wish = at_decision.wish_for(event.account, job_id) if at_decision else None
                if at_decision is None or wish is None:
                    yield f"{event.at:%T} {event.verb} of {job_id}, which no valid spec names"
                elif at_decision.is_settings_broken or at_decision.is_suspended or wish.is_suspended(event.at):
                    yield f"{event.at:%T} {event.verb} of {job_id}, though everything is suspended"
                elif not _is_wanted(history, wish, event):
                    yield f"{event.at:%T} {event.verb} of {job_id}, which its spec wants {wish.desired}"


def _is_wanted(history: History, wish: Wish, request: Served) -> bool:
    if wish.desired == _WANTS[request.verb]:
        return True
    return request.verb == "cancel" and wish.desired != "observed" and is_over_limit(history, wish, request.at)


def is_over_limit(history: History, wish: Wish, at: datetime) -> bool:
    """Whether a job is over a limit by the provider's clock, which may be ahead of ours by what is believable."""
    latest = at + SKEW
    if wish.not_after is not None and latest > wish.not_after:
        return True
    view = history.worlds[wish.account].retrieve(wish.job_id, at)
    age = latest - view.created_at
    return (wish.max_age is not None and age > wish.max_age) or (wish.max_queued is not None and age > wish.max_queued)


def unlooked(history: History) -> Iterator[str]:
    """Tell the requests before which the same pass had not seen the job in a phase that allows them."""
    words: dict[tuple[str, str], str] = {}
    used: set[tuple[str, str, str]] = set()
    for event in history.events:
        match event:
            case PassBegun():
                words.clear()
                used.clear()
            case Served(is_change=True, job_id=str(job_id)):
                word = words.get((event.account, job_id))
                if word not in _MAY[event.verb]:
                    yield f"{event.at:%T} {event.verb} of {job_id}, seen in this pass as {word}"
                if (event.account, job_id, event.verb) in used:
                    yield f"{event.at:%T} {event.verb} of {job_id} twice in one pass"
                used.add((event.account, job_id, event.verb))
            case Served() if not _came_too_late(event):
                words.update({(event.account, job): word for job, word in event.words.items()})


def _came_too_late(answer: Served) -> bool:
    return answer.ended_at - answer.at > timedelta(seconds=45)


def uneconomical(history: History) -> Iterator[str]:
    """Tell the jobs that were cancelled more often than law 6 allows.

    One, and one more for each answer to a cancel that was ambiguous or a refusal, each cancel that had no effect, each
    crash, each time that the wish came anew, and each time that somebody spoilt the status that remembered it.
    """
    posts: Counter[tuple[str, str]] = Counter()
    allowed: defaultdict[tuple[str, str], int] = defaultdict(lambda: 1)
    everyone = 0
    wanted: dict[tuple[str, str], bool] = {}
    for event in history.events:
        match event:
            case Served(verb="cancel", job_id=str(job_id)):
                key = (event.account, job_id)
                posts[key] += 1
                is_in_vain = history.truth(*key, event.ended_at + timedelta(seconds=1)) not in {*OVER, "cancelling"}
                allowed[key] += event.status != 200 or event.fault is not None or is_in_vain
            case Crashed() | Tampered():
                everyone += 1
            case Happened(kind="disk full" | "somebody resumes"):
                everyone += 1
            case Edited(revision=revision):
                for wish in revision.wishes:
                    key = (wish.account, wish.job_id)
                    now = revision.wish_for(*key) is not None and (wish.desired == "cancelled" or wish.has_limits)
                    allowed[key] += now and not wanted.get(key, False)
                    wanted[key] = now
                for key in wanted.keys() - {(each.account, each.job_id) for each in revision.wishes}:
                    wanted[key] = False
    for key, count in posts.items():
        if count > allowed[key] + everyone:
            yield f"{count} cancels for {'/'.join(key)}, where {allowed[key] + everyone} would do"


def impatient(history: History) -> Iterator[str]:
    """Tell the requests that came before the provider wanted to hear of us again, and those beyond the rate."""
    quiet_until: dict[tuple[str, int], datetime] = {}
    levels: dict[tuple[str, int], tuple[datetime, float]] = {}
    for event in history.events:
        if not isinstance(event, Served):
            continue
        door = (event.account, event.life)
        # Bounded by a microsecond: virtual time is counted in whole ones.
        if event.at + timedelta(microseconds=2) < quiet_until.get(door, event.at):
            yield f"{event.at:%T} {event.verb} before the {quiet_until[door]:%T} that the provider named"
        if event.retry_after_s is not None and event.status in {429, 503}:
            until = event.ended_at + timedelta(seconds=event.retry_after_s)
            quiet_until[door] = max(until, quiet_until.get(door, until))
        since, level = levels.get(door, (event.at, 0.0))
        level = max(0.0, level - max(0.0, (event.at - since).total_seconds()) * PER_SECOND) + 1
        levels[door] = (event.at, level)
        if level > BURST + 1:
            yield f"{event.at:%T} {event.verb}: more than {BURST} at once and {PER_SECOND:g} a second"


def believed_suspects(history: History) -> Iterator[str]:
    """Tell what was done on a look in which all the jobs of an account were gone at once."""
    last: dict[tuple[str, str], str] = {}
    found: defaultdict[str, dict[str, str]] = defaultdict(dict)
    for event in history.events:
        match event:
            case PassBegun():
                for account, words in found.items():
                    last.update({(account, job): word for job, word in words.items() if word != ABSENT})
                found.clear()
            case Served(is_change=True) if _is_suspect(event.account, found[event.account], last):
                yield f"{event.at:%T} {event.verb} of {event.job_id}, though all jobs of the account were gone at once"
            case Served():
                found[event.account].update(event.words)


def _is_suspect(account: str, words: dict[str, str], last: dict[tuple[str, str], str]) -> bool:
    before = [job for job in words if last.get((account, job), ABSENT) not in {ABSENT, *OVER}]
    return len(before) >= 2 and all(words[job] == ABSENT for job in before)


def unbraked(history: History, most_an_hour: int) -> Iterator[str]:
    """Tell where more jobs were first cancelled within an hour than a brake of so many allows.

    Only for runs in which nobody spoils statuses, for they are where the hour is remembered.
    """
    first: dict[tuple[str, str, str], datetime] = {}
    for event in history.events:
        if isinstance(event, Served) and event.is_change and event.job_id:
            first.setdefault((event.account, event.job_id, event.verb), event.at)
    times = sorted(first.values())
    for early, late in zip(times, times[most_an_hour:], strict=False):
        if late - early < timedelta(minutes=59):
            yield f"{most_an_hour + 1} first requests from {early:%T} to {late:%T}"


def restless(history: History) -> Iterator[str]:
    """Tell what was asked for or written after everything should have settled."""
    is_quiet = False
    for event in history.events:
        match event:
            case Calmed():
                is_quiet = False
            case Put(path=path) if is_quiet:
                yield f"{event.at:%T} {path} was written though nothing happened"
            case Served(is_change=True) if is_quiet:
                yield f"{event.at:%T} {event.verb} of {event.job_id} though nothing happened"
            case _:
                is_quiet = is_quiet or type(event).__name__ == "Quiet"
