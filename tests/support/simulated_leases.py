"""A service of leases in the running loop's time, with the faults that a real one can have."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from reconciler.errors import Delivered, TransientError
from reconciler.model.election import Granted, HeldBy, LeaseAnswer


@dataclass(slots=True)
class LeaseService:
    """One lease. It ends `duration_s` after its last renewal, and can be given or ended early."""

    duration_s: float
    elapsed: Callable[[], float]
    holder: str | None = None
    ends_at: float = 0.0
    is_down: bool = False
    is_hanging: bool = False
    cut_off: set[str] = field(default_factory=set)
    """The replicas that do not reach the service."""
    deaf: set[str] = field(default_factory=set)
    """The replicas whose requests have an effect, although their responses are lost."""
    delay_s: float = 0.0
    """How long each request takes until it has an effect, and again until its response arrives."""
    requests: int = 0

    def current(self) -> str | None:
        """Return the holder; None if the lease has ended."""
        return self.holder if self.elapsed() < self.ends_at else None

    def give(self, holder: str | None) -> None:
        """Give the lease to a replica for its whole duration, or end it."""
        self.holder, self.ends_at = holder, self.elapsed() + self.duration_s

    def mend(self) -> None:
        """End every fault."""
        self.is_down = self.is_hanging = False
        self.delay_s = 0.0
        self.cut_off.clear()
        self.deaf.clear()

    async def reach(self, who: str) -> None:
        """Return if the service responds to this replica."""
        self.requests += 1
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.is_down or who in self.cut_off:
            msg = "cannot connect"
            raise TransientError(msg, delivered=Delivered.NO)
        await asyncio.sleep(self.delay_s)

    async def respond(self, who: str) -> None:
        """Return once the response has reached this replica."""
        await asyncio.sleep(self.delay_s)
        if who in self.deaf:
            msg = "the connection was reset"
            raise TransientError(msg, delivered=Delivered.UNKNOWN)


@dataclass(frozen=True, slots=True)
class SimulatedLease:
    """The `Lease` of one replica in the service."""

    service: LeaseService
    name: str

    async def acquire(self) -> LeaseAnswer:
        """Acquire the lease if nobody else holds it."""
        await self.service.reach(self.name)
        answer = self._give(self.service.current() in (None, self.name))
        await self.service.respond(self.name)
        return answer

    async def renew(self) -> LeaseAnswer:
        """Renew the lease if this replica holds it."""
        await self.service.reach(self.name)
        answer = self._give(self.service.current() == self.name)
        await self.service.respond(self.name)
        return answer

    def _give(self, is_free: bool) -> LeaseAnswer:  # noqa: FBT001  a private helper with one argument
        if not is_free:
            return HeldBy(self.service.current())
        self.service.give(self.name)
        return Granted()

    async def release(self) -> None:
        """End the lease if this replica holds it."""
        await self.service.reach(self.name)
        if self.service.current() == self.name:
            self.service.give(None)
