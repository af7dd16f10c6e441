"""A replica whose election runs in a thread beside its watch: what becomes of the lease while the watch is blocked.

The clock of both threads moves only when a test says so.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

import pytest

from reconciler.controller.leader_election import Candidate
from reconciler.errors import NotSentError
from reconciler.model.election import ElectionTiming
from reconciler.ports import Leadership
from reconciler.preflight import may_send, raise_if_unwanted
from reconciler.wiring.election_thread import Report, elect
from tests.support.sandbox_client import wait_for
from tests.support.simulated_leases import LeaseService, SimulatedLease

TIMING = ElectionTiming()
STEP_S = 0.001


@dataclass(slots=True)
class Scene:
    """A service with a lease, a replica that contends for it, and the clock."""

    now: float = 0.0
    renewals: int = 0
    """How often the leader has waited until the next renewal is due."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    known: list[str] = field(default_factory=list)
    service: LeaseService = field(init=False)

    def __post_init__(self) -> None:
        """Make the service."""
        self.service = LeaseService(TIMING.lease_s, lambda: self.now)

    def run(self, lead: Callable[[Leadership], Awaitable[None]]) -> None:
        """Run the election until the replica is stopped, and check that no thread is left."""
        asyncio.run(self.elect(lead))
        assert [each.name for each in threading.enumerate() if each.name.startswith("election")] == []

    async def elect(self, lead: Callable[[Leadership], Awaitable[None]]) -> None:
        """Run the election until the replica is stopped."""
        await elect(self.candidate, lambda known: self.known.append(known.text), lambda: self.now, self.stop, lead)

    @asynccontextmanager
    async def candidate(self, report: Report, blocked_s: Callable[[], float]) -> AsyncIterator[Candidate]:
        """Yield the replica, which is named `one`."""
        lease = SimulatedLease(self.service, "one")
        yield Candidate(
            lease, "lease:a/b", "one", TIMING, lambda: self.now, self._sleep, lambda: 0.0, report, blocked_s
        )

    async def _sleep(self, seconds: float) -> None:
        self.renewals += seconds == TIMING.retry_s
        until = self.now + seconds
        while self.now < until:  # noqa: ASYNC110  the other thread moves the clock
            await asyncio.sleep(STEP_S)

    def block_until_next_renewal(self) -> None:
        """Block the watch until the leader has tried to renew its lease once more, or leads no longer."""
        wait_for(lambda: self.renewals or not may_send(), "the leader waits")
        before, self.now = self.renewals, self.now + TIMING.retry_s
        wait_for(lambda: self.renewals > before or not may_send(), "the leader tries to renew the lease")


def test_a_watch_that_is_blocked_for_longer_than_the_lease_lasts_keeps_the_lease() -> None:
    scene = Scene()

    async def lead(_: Leadership) -> None:
        while scene.now <= 2 * TIMING.lease_s:
            scene.block_until_next_renewal()
        assert may_send()
        assert scene.service.current() == "one"
        scene.stop.set()

    scene.run(lead)
    assert scene.service.current() is None, "it is released at the end"
    assert scene.known == ["leading, with lease:a/b"] * len(scene.known)


def test_a_watch_that_hangs_loses_the_lease_and_sends_nothing_when_it_continues() -> None:
    scene = Scene()

    async def lead(term: Leadership) -> None:
        while may_send():
            scene.block_until_next_renewal()
        assert TIMING.blocked_s < scene.now <= TIMING.blocked_s + TIMING.renew_s + TIMING.retry_s
        scene.now += TIMING.lease_s
        assert scene.service.current() is None, "another replica can lead"
        with pytest.raises(NotSentError, match="no longer leads"):
            raise_if_unwanted()
        await term.lost.wait()
        scene.stop.set()

    scene.run(lead)
    why = "the lease was not renewed within 10 s: the watch has been blocked for 1"
    assert any(f"standing by for lease:a/b: {why}" in each for each in scene.known)


def test_a_replica_that_was_stopped_for_longer_than_the_lease_lasts_sends_nothing_when_it_continues() -> None:
    scene = Scene()

    async def lead(term: Leadership) -> None:
        raise_if_unwanted()
        scene.now += TIMING.lease_s
        with pytest.raises(NotSentError, match="no longer leads"):
            raise_if_unwanted()
        await term.lost.wait()
        scene.stop.set()

    scene.run(lead)


def test_an_error_of_the_watch_releases_the_lease_and_is_raised() -> None:
    scene = Scene()

    async def lead(_: Leadership) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        scene.run(lead)
    assert scene.service.current() is None
    assert scene.stop.is_set()


def test_a_candidate_that_cannot_be_opened_is_an_error() -> None:
    scene = Scene()

    def refused(_: Report, __: Callable[[], float]) -> AbstractAsyncContextManager[Candidate]:
        msg = "the lease cannot be used"
        raise ValueError(msg)

    async def main() -> None:
        await elect(refused, lambda _: None, lambda: 0.0, scene.stop, lambda _: asyncio.sleep(0))

    with pytest.raises(ValueError, match="the lease cannot be used"):
        asyncio.run(main())
    assert scene.stop.is_set()


@pytest.mark.parametrize("holder", ["other", None])
def test_a_replica_that_is_cancelled_ends_its_watch_and_its_thread(holder: str | None) -> None:
    scene = Scene()
    scene.service.give(holder)
    begun = asyncio.Event()

    async def lead(_: Leadership) -> None:
        begun.set()
        await scene.stop.wait()

    async def main() -> None:
        electing = asyncio.ensure_future(scene.elect(lead))
        await (asyncio.sleep(0.05) if holder else begun.wait())
        electing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await electing

    asyncio.run(main())
    assert scene.service.current() == holder
