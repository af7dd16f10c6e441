"""Every case of a decision, for every status that decisions lead to.

A *case* is a spec, an observation, the last status and a time. A *world* fixes the capabilities of the provider and the
specs. Its walk starts without a status and tries every case of each status. It adds each status that a decision writes,
and each status after a response to its request. It lets time pass by each step, and ends when no new status appears.

The walk ends because two statuses count as the same if a decision cannot distinguish them (`_outlook`). A decision
compares an age only with thresholds, so only the side of each threshold is kept. A decision does not read which of
`validating_files`, `queued` and `running` came before, nor texts, generations and times of conditions, so these are
dropped. An earlier pause is kept only if the job can be paused. `maxQueued` and `notAfter` are tested by `test_limits`.
One status represents its class. Two things are set artificially:

- An open receipt with 2 or 3 attempts gets 4. `test_backoff` tests the delays between them, and the walk only
  distinguishes none, one, some, all, and reminders.
- Every status counts as one of the current spec, so that any spec may have led to any status. Where a decision reads
  whether the status is of another spec (unobserved, and with a limit that cannot be evaluated), both are tried.

What follows a decision (the next decision, the responses to its request, a day later) is computed once for each
combination of the written status, the report, the request, the observation and the spec.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any

from reconciler.core.backoff import HONOUR_WITHIN, is_exhausted, next_attempt_at
from reconciler.core.decide import Decision, decide
from reconciler.core.subject import Subject
from reconciler.model.capabilities import Capabilities
from reconciler.model.job import UNSET, JobError, Observation, Phase
from reconciler.model.kind import BATCH, FINE_TUNING, JobKind
from reconciler.model.money import Basis
from reconciler.model.price import Meter, Price
from reconciler.model.reason import Reason
from reconciler.model.status import Because, JobStatus, LimitWarning, Outcome, Receipt, Verb
from tests.support.build import NOW
from tests.support.decision_case import Case
from tests.support.laws import ASKED, LAWS, LAWS_OF_LATER_DECISIONS, Law, answers, refusals
from tests.support.subjects import ABSENT, UNSEEN, a_batch_look, a_batch_subject, a_look, a_subject

WANTED = ("running", "paused", "cancelled", "observed")
BATCHES_WANTED = ("running", "cancelled", "observed")
LIMITS: dict[str, dict[str, Any]] = {
    "": {},
    "over": {"limits": {"maxAge": "1h"}},
    "within": {"limits": {"maxAge": "3h"}},
}
WARNED: dict[str, dict[str, Any]] = {
    "over, after a warning": {"limits": {"maxAge": "1h", "warnBefore": "1h"}},
    "near": {"limits": {"maxAge": "3h", "warnBefore": "2h"}},
    "far": {"limits": {"maxAge": "3h", "warnBefore": "30m"}},
}
"""The limits with a warning, in worlds of their own."""
SUSPENDED: dict[str, dict[str, Any]] = {
    "": {},
    "now": {"suspend": True},
    "no more": {"suspend": {"until": "2026-01-01T00:00:00Z"}},
}
STEPS = (
    timedelta(0),
    timedelta(seconds=6),
    timedelta(seconds=61),
    timedelta(minutes=11),
    timedelta(hours=7),
    timedelta(hours=25),
)
_AGE_THAT_COUNTS = {
    Phase.UNKNOWN: timedelta(hours=24),
    Phase.CANCELLING: timedelta(hours=2),
    Phase.PAUSING: timedelta(minutes=30),
    Phase.ABSENT: timedelta(minutes=1),
    Phase.SUCCEEDED: timedelta(minutes=1),
    Phase.FAILED: timedelta(minutes=1),
    Phase.CANCELLED: timedelta(minutes=1),
}
EXPIRY = JobError(code="expired", message="expired: 23 of 100 done")
IN_PART = JobError(code="PartiallyCompleted", message="not all were processed in time")
_WAITS = frozenset({Phase.UNKNOWN, Phase.CANCELLING, Phase.PAUSING})
_SOME_ATTEMPTS = 4


@dataclass(frozen=True, slots=True)
class World:
    """The specs that a walk covers. `depth` limits the successive decisions; a walk usually ends before the default."""

    name: str
    subjects: tuple[Subject, ...]
    targets: frozenset[Reason]
    """The reasons that must occur in the walk, as a check of the walk itself."""
    depth: int = 99

    @property
    def kind(self) -> JobKind:
        """The kind of the jobs in this world."""
        return self.subjects[0].kind

    @property
    def honour_within(self) -> timedelta:
        """How long an accepted cancel may have no effect before it is repeated."""
        return self.subjects[0].honour_within(Verb.CANCEL)


@dataclass(slots=True)
class Walked:
    """The result of a walk: the number of cases and statuses, and the broken laws with their cases."""

    cases: int = 0
    statuses: int = 0
    depth: int = 0
    reasons: set[Reason] = field(default_factory=set)
    """The reasons that decisions reported, and those in histories."""
    broken: dict[str, list[Case]] = field(default_factory=dict)
    followed: set[object] = field(default_factory=set)


def specs(can: Capabilities, *words: str, kind: JobKind = FINE_TUNING) -> tuple[Subject, ...]:
    """Return the subjects with these texts, such as `running`, `running over` or `cancelled within now`."""
    return tuple(each for word, each in every_spec(can, kind).items() if word in words)


def priced_specs(can: Capabilities) -> tuple[Subject, ...]:
    """Return batches that cost 23 USD, which is over their limit, or with a limit that cannot be judged."""
    exact = Price("openai", BATCH.name, "*", Meter.TOKENS, Decimal(1000), "USD")
    cases: tuple[tuple[str, str, Price | None], ...] = (
        ("running", "20 USD", exact),
        ("running", "20 EUR", exact),
        ("running", "20 USD", replace(exact, bound=Basis.AT_MOST)),
        ("running", "20 USD", None),
        ("observed", "20 USD", exact),
        ("running", "20 USD", replace(exact, document="gpu")),
        ("running", "20 USD", replace(exact, document="openai", may_act=False)),
    )
    return tuple(
        replace(a_batch_subject(wanted, can, limits={"maxCost": limit}), prices=None if price is None else (price,))
        for wanted, limit, price in cases
    )


def warned_specs(can: Capabilities, *words: str) -> tuple[Subject, ...]:
    """Return a subject for each of these desired states and every limit with a warning."""
    return tuple(a_subject(wanted, can, **limits) for wanted in words for limits in WARNED.values())


def every_spec(can: Capabilities, kind: JobKind = FINE_TUNING) -> dict[str, Subject]:
    """Return a subject for every desired state, limit and suspension, by a text that describes it."""
    build, every_state = (a_batch_subject, BATCHES_WANTED) if kind is BATCH else (a_subject, WANTED)
    return {
        " ".join(filter(None, (wanted, limit, suspended))): build(wanted, can, **limits, **suspension)
        for wanted in every_state
        for limit, limits in LIMITS.items()
        for suspended, suspension in SUSPENDED.items()
    }


def looks(now: datetime, *, has_limits: bool, kind: JobKind = FINE_TUNING) -> Iterator[Observation]:
    """Yield the observations: unobserved, absent, and every phase, with and without an end time and a result.

    Observations with a missing creation time or a wrong provider's clock are yielded only if `has_limits`, because only
    limits depend on these times.
    """
    look: Callable[..., Observation] = a_batch_look if kind is BATCH else a_look
    yield UNSEEN
    yield ABSENT
    for phase in (Phase.VALIDATING_FILES, Phase.QUEUED, Phase.RUNNING, Phase.PAUSING, Phase.PAUSED, Phase.CANCELLING):
        yield look(phase, now)
    yield look(Phase.UNKNOWN, now, provider_status="resting")
    ended_at = now - timedelta(seconds=10)
    failure, partial = (EXPIRY, IN_PART) if kind is BATCH else (None, None)
    for end in (ended_at, None):
        yield look(Phase.SUCCEEDED, now, finished_at=end, **{kind.result: "the result"})
        yield look(Phase.SUCCEEDED, now, finished_at=end, error=partial, **{kind.result: None})
        yield look(Phase.FAILED, now, finished_at=end, error=failure)
    for told in (ended_at, None, UNSET, now + timedelta(days=1)):
        yield look(Phase.CANCELLED, now, finished_at=told)
    if has_limits:
        yield look(Phase.RUNNING, now, created_at=UNSET)
        yield look(Phase.RUNNING, now, created_at=None)
        yield look(Phase.RUNNING, now, as_of=now - timedelta(hours=1))
        for phase in (Phase.RUNNING, Phase.PAUSED, Phase.CANCELLING):
            yield look(phase, now, as_of=None)


def walk(world: World) -> Walked:
    """Try every case of a world, and check every law in each."""
    walked = Walked()
    known: set[object] = {None}
    met: set[object] = set()
    here: list[tuple[JobStatus | None, datetime]] = [(None, NOW)]
    while here and walked.depth < world.depth:
        ahead: dict[object, tuple[JobStatus, datetime]] = {}
        for last, since in here:
            for now in (since + step for step in STEPS):
                if (row_state := _outlook(world, last, now)) not in met:
                    met.add(row_state)
                    for after in _cases(world, last, now, walked):
                        ahead.setdefault(_outlook(world, after, now), (after, now))
        here = [place for row_state, place in ahead.items() if row_state not in known]
        known.update(ahead)
        walked.depth += 1
    walked.statuses = len(met)
    return walked


def _cases(world: World, last: JobStatus | None, now: datetime, walked: Walked) -> Iterator[JobStatus]:
    """Decide every case of one status at one time, and yield the statuses that are written."""
    has_limits = any(subject.spec.limits for subject in world.subjects)
    seen = list(looks(now, has_limits=has_limits, kind=world.kind))
    for subject in world.subjects:
        same = replace(last, observed_spec=subject.digest) if last else None
        for number, look in enumerate(seen):
            yield from _decide(world, Case(subject, look, same, now), number, walked)
        if last is not None:
            other = replace(last, observed_spec="sha256:another")
            for number in (0, len(seen) - 1):
                yield from _decide(world, Case(subject, seen[number], other, now), number, walked)


def _decide(world: World, case: Case, number: int, walked: Walked) -> list[JobStatus]:
    """Check one case, and return the statuses that may be written. `number` identifies the observation."""
    decision = decide(case.subject, case.look, case.last, case.now)
    walked.cases += 1
    walked.reasons.add(decision.status.ready.reason)
    if case.last is not None and case.last.final:
        walked.reasons.update(entry.reason for entry in decision.status.history[:2])
    _check(LAWS, case, decision, walked)
    if decision.status is case.last and decision.action is None:
        return []
    said = (decision.status.ready.reason, decision.status.is_stalled, decision.status.final)
    follow = (_outlook(world, decision.status, case.now), said, decision.action, case.subject.digest, number)
    if follow in walked.followed:
        return []
    walked.followed.add(follow)
    _check(LAWS_OF_LATER_DECISIONS, case, decision, walked)
    refused = (status for _, status in refusals(case, decision))
    return [_with_some_attempts(each) for each in (decision.status, *answers(case, decision, ASKED), *refused)]


def _check(laws: tuple[Law, ...], case: Case, decision: Decision, walked: Walked) -> None:
    for law in laws:
        if not law(case, decision):
            walked.broken.setdefault(law.__name__, []).append(case)


def _with_some_attempts(status: JobStatus) -> JobStatus:
    receipt = status.open_receipt
    if receipt is None or not 1 < receipt.attempts < _SOME_ATTEMPTS:
        return status
    return replace(status, receipts=(replace(receipt, attempts=_SOME_ATTEMPTS), *status.receipts[1:]))


def _outlook(world: World, status: JobStatus | None, now: datetime) -> object:
    """Return a value that is equal for two statuses if no later decision can distinguish them."""
    if status is None:
        return None
    facts = status.job
    closed = [each for each in status.receipts if not each.is_open]
    return (
        status.phase if status.phase in _AGE_THAT_COUNTS else None,
        status.final or _since(status, now),
        status.doubted_at is not None and (now - status.doubted_at >= timedelta(minutes=1), now < status.doubted_at),
        facts is not None and facts.was_seen,
        facts is not None and facts.created_at is not None,
        status.phase is Phase.CANCELLED and facts is not None and facts.finished_at is not None,
        _request(world, status, now),
        _newest_cancel(status, closed),
        any(each.verb is Verb.CANCEL and each.accepted_at is not None for each in closed),
        _reversals(status, closed, now),
        status.warning is not None and _warned(status.warning, now),
        _pause(world, status, now),
    )


def _pause(world: World, status: JobStatus, now: datetime) -> object:
    """Return what a decision reads of earlier pauses: whose the last pause was, or whose the next one will be."""
    if not (world.kind.can_be_paused and world.subjects[0].capabilities.can_pause):
        return None
    told = [status.phase, *(entry.phase for entry in status.history)]
    certain = next((phase for phase in told if phase not in {Phase.UNKNOWN, Phase.ABSENT, Phase.CANCELLING}), None)
    newest = status.receipts[0] if status.receipts else None
    is_withdrawn = newest is not None and newest.outcome is Outcome.WITHDRAWN and not newest.is_refused
    is_ours = newest is not None and newest.verb is Verb.PAUSE and is_withdrawn
    asked_at = (newest.accepted_at or newest.last_attempt_at) if newest is not None else now
    is_recent = is_ours and now - asked_at <= timedelta(minutes=15)
    return status.paused_elsewhere, certain in {Phase.PAUSING, Phase.PAUSED}, certain is None, is_recent


def _warned(warning: LimitWarning, now: datetime) -> object:
    age = now - warning.since
    return warning.limit, warning.price, age >= timedelta(minutes=1), age >= timedelta(hours=1)


def _since(status: JobStatus, now: datetime) -> object:
    """Return which thresholds the age of a phase has passed, and whether the phase is reported as stalled."""
    run = list(takewhile(lambda entry: entry.phase is status.phase, status.history))
    if status.phase not in _AGE_THAT_COUNTS or not run:
        return None
    age = now - run[-1].at
    is_promised = status.phase is Phase.SUCCEEDED and status.kind.promises_result
    is_nameless = is_promised and status.job is not None and status.job.fine_tuned_model is None
    is_told = status.phase in _WAITS and status.is_stalled
    return age >= _AGE_THAT_COUNTS[status.phase], is_nameless and age >= timedelta(hours=1), is_told


def _request(world: World, status: JobStatus, now: datetime) -> object:
    receipt = status.open_receipt
    if receipt is None:
        return None
    patience = world.honour_within if receipt.verb is Verb.CANCEL else HONOUR_WITHIN
    is_newest_accepted = receipt.accepted_at is not None and receipt.accepted_at >= receipt.last_attempt_at
    return (
        receipt.verb,
        receipt.verb is Verb.CANCEL and receipt.because,
        min(receipt.attempts, 6),
        receipt.accepted_at is not None,
        is_newest_accepted,
        now >= next_attempt_at(receipt, patience),
        is_exhausted(receipt, now, patience),
        status.ready.reason is Reason.ACTION_FORBIDDEN,
        receipt.is_refused,
    )


def _newest_cancel(status: JobStatus, closed: list[Receipt]) -> object:
    asked = status.open_receipt
    if asked is not None and asked.verb is Verb.CANCEL and not asked.is_refused:
        return None
    cancel = next((each for each in closed if each.verb is Verb.CANCEL and not (each.is_moot or each.is_refused)), None)
    if cancel is None or cancel.outcome is Outcome.GONE:
        return cancel and (cancel.outcome, cancel.because)
    return cancel.because is Because.LIMIT_REACHED and cancel.outcome is Outcome.CANCELLED


def _reversals(status: JobStatus, closed: list[Receipt], now: datetime) -> object:
    if not closed or (status.open_receipt is not None and status.open_receipt.verb is not closed[0].verb):
        return None
    verb = closed[0].verb
    row = [
        each.confirmed_at
        for each in takewhile(lambda each: each.verb is verb and each.confirmed_at is not None, closed)
        if each.confirmed_at is not None
    ]
    if verb is Verb.CANCEL or not row:
        return None
    return verb, min(len(row), 3), sum(now - at < timedelta(days=1) for at in row) >= 3
