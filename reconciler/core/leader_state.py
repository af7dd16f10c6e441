"""The states of a replica in an election, and how the answers about the lease and the time change them.

Rules: a replica leads from the moment before it sent the request that acquired or last renewed the lease, until
`renew_s` later. Other replicas treat the lease as held until `lease_s` after that request was handled, which is later:
a leader stops before another replica can start. A leader that was lost is never a leader again; a new term begins.

Times are in seconds of a clock that never goes back and that also counts while the process or the machine is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.election import JITTER_FACTOR, ElectionTiming, Granted, LeaseAnswer


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """The lease could be neither read nor written. `problem` says why, for users."""

    problem: str


@dataclass(frozen=True, slots=True)
class StandingBy:
    """Another replica leads, or it is unknown which one does."""

    holder: str | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Leading:
    """This replica leads while the time is before `until`."""

    until: float
    problem: str | None = None
    """Why the last attempt to renew the lease failed, or None."""


@dataclass(frozen=True, slots=True)
class Lost:
    """This replica led. `why` says why it no longer does, for users."""

    why: str


def may_act(state: StandingBy | Leading | Lost, now: float) -> bool:
    """Return whether the replica may send a request now."""
    return isinstance(state, Leading) and now < state.until


def after_attempt(
    answer: LeaseAnswer | NoAnswer, sent_at: float, now: float, timing: ElectionTiming
) -> StandingBy | Leading:
    """Return the state after an attempt to acquire the lease, which began at `sent_at` and ended at `now`."""
    if isinstance(answer, NoAnswer):
        return StandingBy(problem=f"the lease cannot be acquired: {answer.problem}")
    if not isinstance(answer, Granted):
        return StandingBy(answer.holder)
    leading = Leading(sent_at + timing.renew_s)
    if not may_act(leading, now):
        return StandingBy(problem=f"the lease was acquired too late: the response took {now - sent_at:.0f} s")
    return leading


def after_renewal(
    state: Leading, answer: LeaseAnswer | NoAnswer, sent_at: float, now: float, timing: ElectionTiming
) -> Leading | Lost:
    """Return the state after an attempt to renew the lease, which began at `sent_at` and ended at `now`."""
    if not may_act(state, now):
        return expired(state, timing)
    if isinstance(answer, NoAnswer):
        return Leading(state.until, answer.problem)
    if not isinstance(answer, Granted):
        return Lost(f"{answer.holder} holds the lease" if answer.holder else "the lease has ended")
    return Leading(sent_at + timing.renew_s)


def hindrance(blocked_s: float, timing: ElectionTiming) -> NoAnswer | None:
    """Return why the leader must not renew its lease, or None. `blocked_s` is for how long its watch is blocked.

    A watch that hangs sends no request, so another replica should lead. The lease is renewed again if the watch
    continues in time.
    """
    return NoAnswer(f"the watch has been blocked for {blocked_s:.0f} s") if blocked_s > timing.blocked_s else None


def expired(state: Leading, timing: ElectionTiming) -> Lost:
    """Return the state of a leader that could not renew its lease in time."""
    why = f": {state.problem}" if state.problem else ""
    return Lost(f"the lease was not renewed within {timing.renew_s:g} s{why}")


def attempt_delay_s(timing: ElectionTiming, jitter: float) -> float:
    """Return the time until the next attempt to acquire a lease. `jitter` is a random number in [0, 1).

    The time varies, so that replicas do not try at the same moment.
    """
    return timing.retry_s * (1 + (JITTER_FACTOR - 1) * jitter)
