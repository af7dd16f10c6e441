"""Whether the statuses are true about requests, and about who ended a job, compared with the provider's log.

Rules: a request was accepted if the provider responded with 2xx and no explicit refusal. It can have stopped its job if
it arrived before the job ended. A request whose response was lost may have been accepted or not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.scenario.batch_services import WITHOUT_TIMES
from tests.scenario.history import (
    ABSENT,
    Audited,
    Crashed,
    Edited,
    Event,
    ExternalEvent,
    FileWritten,
    History,
    ProviderRequest,
    Tampered,
)
from tests.scenario.oracles.absences import is_told_gone
from tests.scenario.oracles.passes import pass_records
from tests.scenario.oracles.requests import SKEW
from tests.scenario.oracles.status_yaml import OVER, UNFINISHED, Tree, instant, is_job, job_of, read, ready
from tests.scenario.oracles.statuses import status_of
from tests.scenario.provider import REFUSED_IN_200

_SECOND = timedelta(seconds=1)
_MOMENT = timedelta(microseconds=1)
_NOT_TAKEN = frozenset({REFUSED_IN_200, "html", "garbage"})
"""Faults of a 2xx response that show a reader that the request was not accepted."""
_REFUSED = (400, 500)
_NOT_JUDGED = "cannot be judged"


def false_acceptance(history: History) -> Iterator[str]:
    """Yield the requests that a receipt or the audit log reports as accepted, and that the provider did not accept."""
    taken: defaultdict[tuple[str, str, str], list[ProviderRequest]] = defaultdict(list)
    accounts, told = history.accounts(), set[tuple[str, ...]]()
    for event in history.events:
        match event:
            case ProviderRequest(is_change=True, job_id=str(job_id)) if _is_taken(event):
                taken[event.account, job_id, event.verb].append(event)
            case Audited(outcome="accepted"):
                if not any(
                    abs(event.at - each.ended_at) <= _SECOND for each in taken[event.account, event.job_id, event.verb]
                ):
                    yield f"{event.at:%T} the audit log reports the {event.verb} of {event.job_id} as accepted"
            case FileWritten(path=path, data=data):
                for account, job_id, receipt in _receipts(accounts, path, data):
                    verb, at = receipt["verb"], receipt["acceptedAt"]
                    if at is None or (path, verb, at) in told:
                        continue
                    told.add((path, verb, at))
                    moment = instant(at)
                    answers = taken[account, job_id, verb]
                    if not any(-_SECOND < each.ended_at - moment < 2 * _SECOND for each in answers):
                        yield f"{event.at:%T} {path} reports the {verb} of {job_id} as accepted at {at}"


def false_outcome(history: History) -> Iterator[str]:
    """Yield the receipts that were closed with an outcome that their jobs never had."""
    accounts, told = history.accounts(), set[tuple[str, ...]]()
    for event in history.events:
        if not isinstance(event, FileWritten):
            continue
        for account, job_id, receipt in _receipts(accounts, event.path, event.data):
            outcome = receipt["outcome"]
            key = (event.path, receipt["requestedAt"], str(outcome))
            if key in told:
                continue
            told.add(key)
            if outcome in OVER and history.was(account, job_id, event.at).isdisjoint({outcome, ABSENT}):
                yield f"{event.at:%T} {event.path} has a {receipt['verb']} with the false outcome {outcome}"
            is_gone = ABSENT in history.was(account, job_id, event.at) or is_told_gone(
                history, account, job_id, event.at
            )
            if outcome == "gone" and not is_gone:
                yield f"{event.at:%T} {event.path} has a {receipt['verb']} with outcome gone, and the job was not gone"


@dataclass(slots=True)
class _Attempts:
    """The cancels that were about to be sent, with the status right before each.

    If a crash leaves the status from before the request, it is unknown whether the request was sent. If it leaves the
    status from after the response, the response is known, whatever else was lost.
    """

    accounts: Mapping[str, str]
    intents: dict[tuple[str, str, str, int], bytes] = field(default_factory=dict)

    def take_in(self, event: Event) -> None:
        if isinstance(event, FileWritten):
            for attempt in self._open(event.path, event.data):
                self.intents.setdefault(attempt, event.data)

    def left_open(self, statuses: Mapping[str, bytes]) -> Iterator[tuple[str, str]]:
        """Yield the jobs with an attempt whose request may or may not have been sent."""
        for path, data in statuses.items():
            yield from (attempt[:2] for attempt in self._open(path, data) if self.intents.get(attempt) == data)

    def _open(self, path: str, data: bytes) -> Iterator[tuple[str, str, str, int]]:
        for account, job_id, receipt in _receipts(self.accounts, path, data):
            if receipt["verb"] == "cancel" and receipt["outcome"] is None:
                yield account, job_id, str(receipt["requestedAt"]), receipt["attempts"]


@dataclass(slots=True)
class _Cancels:
    """The provider's record of the cancels of one job."""

    taken: bool = False
    """Whether at least one request got an accepting response, even if it had no effect."""
    maybe: bool = False
    """Whether a request may have been accepted: it arrived before the job ended, and was not refused."""
    clearly: bool = False
    """Whether an accepted request has ended the job or will end it."""
    posts: int = 0
    is_shown_over: bool = False
    """Whether a retrieve has shown the job as ended since the first request."""


def false_attribution(history: History) -> Iterator[str]:
    """Yield the statuses that attribute the end of a job, or the refusal of a cancel, wrongly."""
    cancels: defaultdict[tuple[str, str], _Cancels] = defaultdict(_Cancels)
    overtaken: dict[str, datetime] = {}
    accounts = history.accounts()
    attempts = _Attempts(accounts)
    is_spoilt = False
    for event in history.events:
        attempts.take_in(event)
        match event:
            case Crashed(statuses=statuses):
                is_spoilt = True
                for key in attempts.left_open(statuses):
                    cancels[key].maybe = True
            case Tampered() | ExternalEvent(kind="disk full" | "disk refuses"):
                is_spoilt = True
            case ExternalEvent(kind="ended before our cancel" | "another user cancels before our cancel", what=what):
                overtaken[what] = event.at
            case ProviderRequest(verb="cancel", job_id=str(job_id)):
                is_late = overtaken.get(f"{event.account}/{job_id}") == event.at
                _take_in(history, event, cancels[event.account, job_id], is_late=is_late)
            case ProviderRequest(verb="retrieve", fault=None, job_id=str(job_id)):
                ours = cancels[event.account, job_id]
                ours.is_shown_over |= ours.posts > 0 and event.words.get(job_id) in OVER
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)) and (job := job_of(tree)):
                account = accounts[job[0]]
                ours = cancels[account, job[1]]
                is_sole = not is_spoilt and _has_one_name(history, account, job[1])
                if (why := _objection(ready(tree)["reason"], ours, is_sole=is_sole)) is not None:
                    yield f"{event.at:%T} {path} reports {ready(tree)['reason']}, and {why}"


def _take_in(history: History, answer: ProviderRequest, ours: _Cancels, *, is_late: bool) -> None:
    """Record a cancel. `is_late` is whether the job ended right before the cancel arrived."""
    ours.posts += 1
    moment = max(answer.at - _MOMENT, history.began_at)
    before = history.truth(answer.account, str(answer.job_id), moment)
    was_there = is_late or answer.at == history.began_at or before not in {*OVER, ABSENT}
    could_stop = was_there and not is_late
    is_refused = answer.status is not None and _REFUSED[0] <= answer.status < _REFUSED[1]
    ours.maybe |= _is_taken(answer) or (was_there and not is_refused and not (is_late and answer.is_well))
    ours.taken |= _is_taken(answer)
    ours.clearly |= could_stop and answer.is_well and answer.fault is None and before != "cancelling"


def _objection(reason: str, ours: _Cancels, *, is_sole: bool) -> str | None:
    match reason:
        case "CancelledByUs" if not ours.maybe:
            return "no cancel of reconcile arrived before the job ended"
        case "FinishedDespiteCancel" if not ours.taken:
            return "no cancel was accepted"
        case "CancelledElsewhere" | "FinishedBeforeCancel" if ours.clearly and is_sole:
            return "a cancel of reconcile was accepted before"
        case "CancelNotHonoured" if ours.is_shown_over:
            return "a retrieve had shown the job as ended"
        case _:
            return None


def _has_one_name(history: History, account: str, job_id: str) -> bool:
    """Return whether only one spec ever named the job, and no other job, so that its status has every request."""
    revisions = [each.revision for each in history.events if isinstance(each, Edited)]
    job_specs = {(each.name, each.account, each.job_id) for revision in revisions for each in revision.job_specs}
    names = {name for name, of, job in job_specs if (of, job) == (account, job_id)}
    return len(names) == 1 and sum(name in names for name, *_ in job_specs) == 1


def unreported_limit(history: History) -> Iterator[str]:
    """Yield the limits that a pass could not judge and did not report, and those that it reported although it could."""
    for one_pass, end in pass_records(history):
        if one_pass.is_disrupted:
            continue
        for job_spec in one_pass.revision.valid():
            tree = status_of(job_spec, end.statuses)
            is_meant = (
                job_spec.max_age is not None and job_spec.desired != "cancelled" and not job_spec.is_suspended(end.at)
            )
            if tree is None or not is_meant or ready(tree)["reason"] != "AsDesired":
                continue
            answers = [
                each for each in one_pass.served(job_spec.account) if each.words.get(job_spec.job_id) in UNFINISHED
            ]
            # If one response has a usable time and another response has none, either may have been used. A time is
            # judged between its response and the end of the pass.
            has_times = one_pass.revision.service(job_spec.account).type not in WITHOUT_TIMES
            tellings = {has_times and _is_timely(each, at) for each in answers for at in (each.ended_at, end.at)}
            phase = tree["status"]["phase"]
            message, is_running = ready(tree)["message"], phase in UNFINISHED and answers
            if is_running and tellings == {False} and _NOT_JUDGED not in message and "only reported" not in message:
                yield f"{end.at:%T} {job_spec.name}: {message!r}, although the provider sent no usable time"
            is_sound = all(each.fault is None for each in answers)
            if is_running and tellings == {True} and is_sound and f"maxAge {_NOT_JUDGED}" in message:
                yield f"{end.at:%T} {job_spec.name}: {message!r}, although the provider sent a usable time"


def _is_timely(answer: ProviderRequest, at: datetime) -> bool:
    return answer.dated is not None and abs(answer.dated - at) <= SKEW


def _is_taken(answer: ProviderRequest) -> bool:
    return answer.is_well and answer.fault not in _NOT_TAKEN


def _receipts(accounts: Mapping[str, str], path: str, data: bytes) -> Iterator[tuple[str, str, Tree]]:
    tree = read(data) if is_job(path) else None
    job = job_of(tree) if tree else None
    if tree is not None and job is not None:
        yield from ((accounts[job[0]], job[1], each) for each in tree["status"]["receipts"])
