"""Run an election in a thread of its own, so that the lease is renewed while a pass blocks the event loop of the watch.

Rules:

- The candidate, its lease and the connections for it belong to the event loop of the thread. The watch belongs to the
  event loop of the caller. The two event loops notify each other with `call_soon_threadsafe`.
- The watch calls `Term.may_act` in its own thread before each request. The method reads only values that are replaced
  as a whole. Therefore no request is sent after the end of a term, even if the event loop of the watch was blocked.
- The event loop of the watch records the time every `BEAT_S`. If it stops doing so, the candidate stops renewing the
  lease, so that another replica can replace a watch that hangs.
- While a function in C holds the interpreter's lock, no other thread runs. A leader that is blocked in this way loses
  its lease after the renew deadline, like a leader whose process is stopped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

from reconciler.controller.leader_election import Candidate, Term
from reconciler.controller.workers import end
from reconciler.model.election import ElectionStatus
from reconciler.ports import Leadership

BEAT_S = 0.5
"""The interval at which the event loop of the watch records that it runs, in seconds."""

Report = Callable[[ElectionStatus], None]
OpenCandidate = Callable[[Report, Callable[[], float]], AbstractAsyncContextManager[Candidate]]


@dataclass(frozen=True, slots=True)
class _LocalTerm:
    """A term, as the `ports.Leadership` of the event loop of the watch."""

    may_act: Callable[[], bool]
    lost: asyncio.Event = field(default_factory=asyncio.Event)


async def elect(
    open_candidate: OpenCandidate,
    report: Report,
    elapsed: Callable[[], float],
    stop: asyncio.Event,
    lead: Callable[[Leadership], Awaitable[None]],
) -> None:
    """Run a candidate in a thread until `stop` is set. Raises the errors of `open_candidate` and `lead`.

    Args:
        open_candidate: opens the candidate in the thread. Its arguments are the function that it reports to, and a
            function that returns for how many seconds the event loop of the caller has been blocked.
        report: is called with the state of the election, in the event loop of the caller.
        elapsed: returns the time of a clock that never goes back.
        stop: ends the election. It is also set when this function ends.
        lead: does the work of a term, in the event loop of the caller. See `Candidate.run`.
    """
    here, runner = asyncio.get_running_loop(), asyncio.Runner(loop_factory=asyncio.new_event_loop)
    there, stopped, beat_at = runner.get_loop(), asyncio.Event(), elapsed()

    async def beat() -> None:
        nonlocal beat_at
        while True:
            beat_at = elapsed()
            await asyncio.sleep(BEAT_S)

    async def pass_on_stop() -> None:
        await stop.wait()
        there.call_soon_threadsafe(stopped.set)

    async def contend() -> None:
        def tell(known: ElectionStatus) -> None:
            here.call_soon_threadsafe(report, known)

        async with open_candidate(tell, lambda: elapsed() - beat_at) as candidate:
            await candidate.run(stopped, lambda term: _lead_in(here, term, lead))

    def work() -> None:
        with runner:
            runner.run(contend())

    beside = [asyncio.ensure_future(each) for each in (beat(), pass_on_stop())]
    with ThreadPoolExecutor(1, "election") as threads:
        electing = here.run_in_executor(threads, work)
        try:
            await asyncio.shield(electing)
        finally:
            stop.set()
            await asyncio.wait([electing])
            await end(beside)


async def _lead_in(loop: asyncio.AbstractEventLoop, term: Term, lead: Callable[[Leadership], Awaitable[None]]) -> None:
    """Do the work of a term in another event loop, and return once it has ended there.

    The work runs in a copy of this task's context, so the checks of `preflight` apply to it.
    """
    local = _LocalTerm(term.may_act)

    async def work() -> None:
        await lead(local)

    leading = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work(), loop))
    losing: asyncio.Future[Any] = asyncio.ensure_future(term.lost.wait())
    try:
        await asyncio.wait({leading, losing}, return_when=asyncio.FIRST_COMPLETED)
        loop.call_soon_threadsafe(local.lost.set)
        await leading
    finally:
        await end([losing])
