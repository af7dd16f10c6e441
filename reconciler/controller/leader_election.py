"""Run a watch only while this replica leads.

Rules:

- While another replica leads, this replica only tries to acquire the lease, repeatedly.
- A term begins once the lease is acquired. While it lasts, the lease is renewed in a task of its own.
- The watch may run in another thread than the candidate (`wiring.election_thread`), so that the lease is renewed while
  a pass blocks the event loop of the watch. If the watch is blocked for longer than `ElectionTiming.blocked_s`,
  the lease is not renewed.
- `Term.may_act` checks the clock right before each request (`preflight.sent_only_if`). A leader whose process was
  stopped for a long time therefore sends nothing when it continues, although its tasks continue in any order.
- Once the leadership is lost, the watch of the term ends as at a stop. The replica then waits to lead again, in the
  same process, but with nothing of the earlier term: a new term reads specs and statuses as a new process does.
  Requests of an earlier term stay forbidden in a later one.
- At the end of a term the lease is released, after the watch has ended.

What was sent before the leadership was lost cannot be recalled. Receipts, which are published before each request, keep
the next leader from repeating it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

from reconciler.controller.workers import end, first
from reconciler.core.leader_state import (
    Leading,
    Lost,
    NoAnswer,
    after_attempt,
    after_renewal,
    attempt_delay_s,
    expired,
    hindrance,
    may_act,
)
from reconciler.errors import ProviderError, bug
from reconciler.model.election import ElectionStatus, ElectionTiming, LeaseAnswer
from reconciler.ports import Lease
from reconciler.preflight import sent_only_if

T = TypeVar("T")
RELEASED_WITHIN_S = 2.0
"""How long the release of the lease may take, because a stop has a deadline."""


@dataclass(slots=True)
class Term:
    """One term of this replica, as `ports.Leadership`. Other threads may call `may_act`."""

    state: Leading | Lost
    elapsed: Callable[[], float]
    lost: asyncio.Event = field(default_factory=asyncio.Event)

    def may_act(self) -> bool:
        """Return whether the replica leads now."""
        return not self.lost.is_set() and may_act(self.state, self.elapsed())

    def end(self, why: Lost) -> None:
        """End the term. The first reason is kept."""
        if isinstance(self.state, Leading):
            self.state = why
        self.lost.set()


@dataclass(slots=True)
class Candidate:
    """A replica that contends for a lease.

    Args:
        lease: the lease.
        name: where the lease is, for messages.
        identity: the name of this replica.
        timing: the times of the election.
        elapsed: returns the time of a clock that never goes back and that counts while the machine is suspended.
        sleep: waits for a number of seconds.
        jitter: returns random numbers in [0, 1).
        report: is called with what this replica knows of the election, after each change and each attempt.
        blocked_s: returns for how many seconds the event loop of the watch has been blocked. The default is for a watch
            in the event loop of the candidate, because that loop is not blocked whenever the candidate runs.
    """

    lease: Lease
    name: str
    identity: str
    timing: ElectionTiming
    elapsed: Callable[[], float]
    sleep: Callable[[float], Coroutine[Any, Any, None]]
    jitter: Callable[[], float]
    report: Callable[[ElectionStatus], None]
    blocked_s: Callable[[], float] = lambda: 0.0

    async def run(self, stop: asyncio.Event, lead: Callable[[Term], Awaitable[None]]) -> None:
        """Lead whenever the lease can be acquired, until `stop` is set.

        `lead` does the work of a term. It ends soon after `Term.lost` or `stop` is set. If it raises an error, the
        lease is released, and the error is raised.
        """
        while not stop.is_set():
            term = await self._campaign(stop)
            if term is not None:
                await self._serve(term, lead)

    async def _campaign(self, stop: asyncio.Event) -> Term | None:
        """Try to acquire the lease until that succeeds, and return the term, or None once `stop` is set."""
        while not stop.is_set():
            sent_at = self.elapsed()
            answer = await self._ask(self.lease.acquire, self.timing.renew_s, stop)
            state = after_attempt(answer, sent_at, self.elapsed(), self.timing)
            if isinstance(state, Leading):
                self.report(self._leading())
                return Term(state, self.elapsed)
            self.report(ElectionStatus(self.name, holder=state.holder, problem=state.problem))
            await first(stop.wait(), self.sleep(attempt_delay_s(self.timing, self.jitter())))
        return None

    def _leading(self, problem: str | None = None) -> ElectionStatus:
        return ElectionStatus(self.name, is_leader=True, holder=self.identity, problem=problem)

    async def _serve(self, term: Term, lead: Callable[[Term], Awaitable[None]]) -> None:
        renewing = asyncio.ensure_future(self._renew(term))
        try:
            with sent_only_if(term.may_act):
                await lead(term)
        finally:
            await end([renewing])
            term.end(Lost("the watch has ended"))
            await self._ask(self.lease.release, RELEASED_WITHIN_S)

    async def _renew(self, term: Term) -> None:
        """Renew the lease until the leadership is lost, and report why it was lost."""
        state = term.state
        while isinstance(state, Leading):
            await self.sleep(min(self.timing.retry_s, max(0.0, state.until - self.elapsed())))
            sent_at = self.elapsed()
            if may_act(state, sent_at):
                answer: LeaseAnswer | NoAnswer | None = hindrance(self.blocked_s(), self.timing)
                if answer is None:
                    answer = await self._ask(self.lease.renew, state.until - sent_at)
                state = after_renewal(state, answer, sent_at, self.elapsed(), self.timing)
            else:
                state = expired(state, self.timing)
            if isinstance(state, Leading):
                term.state = state
                self.report(self._leading(state.problem))
        term.end(state)
        self.report(ElectionStatus(self.name, problem=state.why))

    async def _ask(
        self, ask: Callable[[], Awaitable[T]], within_s: float, stop: asyncio.Event | None = None
    ) -> T | NoAnswer:
        """Return the answer, or why there is none. A stop ends the wait."""
        asking = asyncio.ensure_future(ask())
        try:
            await first(asyncio.wait({asking}), self.sleep(within_s), *([stop.wait()] if stop else []))
            if not asking.done():
                return NoAnswer(f"no response within {within_s:.0f} s")
            return asking.result()
        except ProviderError as error:
            return NoAnswer(str(error))
        except Exception as error:  # noqa: BLE001  a bug must not end the election: the lease is tried again
            return NoAnswer(bug(error))
        finally:
            await end([asking])
