"""A replica in virtual time: it leads while it holds the lease, and sends nothing once it may have lost it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from reconciler.controller.leader_election import Candidate, Term
from reconciler.controller.workers import end, first
from reconciler.errors import NotSentError
from reconciler.model.election import ElectionStatus, ElectionTiming
from reconciler.preflight import may_send, raise_if_unwanted
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.simulated_leases import LeaseService, SimulatedLease

TIMING = ElectionTiming()


@dataclass(slots=True)
class Scene:
    """A service, a replica that contends for its lease, and what the replica does."""

    clock: VirtualClock = field(default_factory=VirtualClock)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    service: LeaseService = field(init=False)
    skipped_s: float = 0.0
    """For how long the process was stopped, without its event loop noticing."""
    blocked_s: float = 0.0
    """For how long the watch has been blocked, in an event loop of its own."""
    known: list[ElectionStatus] = field(default_factory=list)
    terms: list[tuple[float, float]] = field(default_factory=list)
    sent_at: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Make the service."""
        self.service = LeaseService(TIMING.lease_s, self.elapsed)

    def elapsed(self) -> float:
        """Return the time of the clock that counts while the process is stopped."""
        return self.clock.monotonic() + self.skipped_s

    def candidate(self, name: str = "one") -> Candidate:
        """Return the replica with this name."""
        lease = SimulatedLease(self.service, name)
        return Candidate(
            lease,
            "lease:a/b",
            name,
            TIMING,
            self.elapsed,
            self.clock.sleep,
            lambda: 0.0,
            self._learn,
            lambda: self.blocked_s,
        )

    def _learn(self, known: ElectionStatus) -> None:
        if self.known[-1:] != [known]:
            self.known.append(known)

    async def lead(self, term: Term) -> None:
        """Send a request each second, until the leadership is lost or the replica is stopped."""
        begun = self.elapsed()
        sending = asyncio.ensure_future(self._send())
        await first(term.lost.wait(), self.stop.wait())
        await end([sending])
        self.terms.append((begun, self.elapsed()))

    async def _send(self) -> None:
        while True:
            if may_send():
                self.sent_at.append(self.elapsed())
            await self.clock.sleep(1.0)


def run(body: Callable[[Scene], Awaitable[None]]) -> None:
    """Run a replica in virtual time while the body, a coroutine function, changes its world; then stop it."""

    async def main() -> None:
        scene = Scene()
        running = asyncio.ensure_future(scene.candidate().run(scene.stop, scene.lead))
        await body(scene)
        scene.stop.set()
        await running

    in_virtual_time(main)


def test_a_replica_leads_renews_and_releases_its_lease() -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(60.5)
        assert scene.service.current() == "one"
        assert len(scene.sent_at) == 61
        scene.stop.set()
        await scene.clock.sleep(0.1)
        assert scene.service.current() is None
        assert scene.terms == [(0.0, 60.5)]
        assert [each.text for each in scene.known] == ["leading, with lease:a/b"]

    run(body)


def test_a_standby_waits_and_takes_over_when_the_lease_ends() -> None:
    async def body(scene: Scene) -> None:
        scene.service.give("other")
        await scene.clock.sleep(14.9)
        assert scene.sent_at == []
        assert [each.text for each in scene.known] == ["standing by for lease:a/b: other holds the lease"]
        await scene.clock.sleep(2.2)
        assert scene.sent_at[:1] == [16.0]

    run(body)


@pytest.mark.parametrize("fault", ["is_down", "is_hanging"])
def test_a_leader_that_cannot_renew_stops_before_its_lease_ends_and_leads_again_later(fault: str) -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(2.5)
        setattr(scene.service, fault, True)
        await scene.clock.sleep(20.0)
        setattr(scene.service, fault, False)
        last = scene.sent_at[-1]
        assert last == 11.0, "the last renewal was sent at 2 s, and the deadline is 10 s later"
        assert [end for _, end in scene.terms] == [12.0]
        losses = [each.text for each in scene.known if "the lease was not renewed within 10 s" in each.text]
        assert len(losses) == 1
        assert [each.is_leader for each in scene.known[-1:]] == [False]
        await scene.clock.sleep(15.0)
        assert [each.is_leader for each in scene.known[-1:]] == [True]
        assert scene.sent_at[-1] > last

    run(body)


def test_a_leader_that_was_stopped_for_long_sends_nothing_when_it_continues() -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(5.5)
        scene.skipped_s = TIMING.lease_s
        scene.service.give("other")
        await scene.clock.sleep(10.0)
        assert [at for at in scene.sent_at if at > 5.5] == []
        assert scene.known[1].text == "standing by for lease:a/b: the lease was not renewed within 10 s"

    run(body)


def test_a_lease_is_renewed_again_if_a_blocked_watch_continues_before_the_renew_deadline() -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(2.5)
        scene.blocked_s = TIMING.blocked_s + 1
        await scene.clock.sleep(7.0)
        scene.blocked_s = 0.0
        await scene.clock.sleep(11.0)
        assert scene.terms == []
        assert scene.sent_at[-1] == 20.0

    run(body)


def test_a_lease_that_another_replica_holds_ends_the_term_at_the_next_renewal() -> None:
    async def body(scene: Scene) -> None:
        await scene.clock.sleep(5.5)
        scene.service.give("other")
        await scene.clock.sleep(3.0)
        assert scene.terms == [(0.0, 6.0)]
        assert scene.known[1].text == "standing by for lease:a/b: other holds the lease"

    run(body)


def test_requests_of_an_earlier_term_stay_forbidden_in_a_later_one() -> None:
    async def main() -> None:
        scene = Scene()
        late: list[asyncio.Task[bool]] = []
        again = asyncio.Event()

        async def try_later() -> bool:
            await again.wait()
            try:
                raise_if_unwanted()
            except NotSentError:
                return False
            return True

        async def lead(term: Term) -> None:
            late.append(asyncio.ensure_future(try_later()))
            await first(term.lost.wait(), scene.stop.wait())

        running = asyncio.ensure_future(scene.candidate().run(scene.stop, lead))
        await scene.clock.sleep(5.5)
        scene.service.give(None)
        await scene.clock.sleep(5.0)
        again.set()
        assert [await each for each in late] == [False, True]
        scene.stop.set()
        await running

    in_virtual_time(main)


def test_an_error_of_the_watch_releases_the_lease_and_is_raised() -> None:
    async def main() -> None:
        scene = Scene()

        async def lead(_: Term) -> None:
            raise OSError(28, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            await scene.candidate().run(scene.stop, lead)
        assert scene.service.current() is None

    in_virtual_time(main)


def test_a_bug_in_a_lease_is_reported_and_the_lease_is_tried_again() -> None:
    class Broken(LeaseService):
        async def reach(self, _: str) -> None:
            self.requests += 1
            raise KeyError(self.requests)

    async def main() -> None:
        scene = Scene()
        scene.service = Broken(TIMING.lease_s, scene.elapsed)
        running = asyncio.ensure_future(scene.candidate().run(scene.stop, scene.lead))
        await scene.clock.sleep(5.0)
        scene.stop.set()
        await running
        assert scene.service.requests == 3
        assert "the lease cannot be acquired: a bug: KeyError" in scene.known[0].text

    in_virtual_time(main)


def test_a_stop_does_not_wait_for_a_service_that_hangs() -> None:
    async def main() -> None:
        scene = Scene()
        running = asyncio.ensure_future(scene.candidate().run(scene.stop, scene.lead))
        await scene.clock.sleep(3.5)
        scene.service.is_hanging = True
        scene.stop.set()
        await running
        assert scene.elapsed() == pytest.approx(5.5)

        again, stop = Scene(), asyncio.Event()
        again.service.is_hanging = True
        running = asyncio.ensure_future(again.candidate().run(stop, again.lead))
        await again.clock.sleep(1.0)
        stop.set()
        await running
        assert again.elapsed() == pytest.approx(6.5)

    in_virtual_time(main)
