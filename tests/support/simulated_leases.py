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
    requests: int = 0

    def current(self) -> str | None:
        """Return the holder; None if the lease has ended."""
        return self.holder if self.elapsed() < self.ends_at else None

    def give(self, holder: str | None) -> None:
        """Give the lease to a replica for its whole duration, or end it."""
        self.holder, self.ends_at = holder, self.elapsed() + self.duration_s

    async def reach(self, who: str) -> None:
        """Return if the service responds to this replica."""
        self.requests += 1
        if self.is_hanging:
            await asyncio.Event().wait()
        if self.is_down or who in self.cut_off:
            msg = "cannot connect"
            raise TransientError(msg, delivered=Delivered.NO)


@dataclass(frozen=True, slots=True)
class SimulatedLease:
    """The `Lease` of one replica in the service."""

    service: LeaseService
    name: str

    async def acquire(self) -> LeaseAnswer:
        """Acquire the lease if nobody else holds it."""
        await self.service.reach(self.name)
        if self.service.current() not in (None, self.name):
            return HeldBy(self.service.current())
        self.service.give(self.name)
        return Granted()

    async def renew(self) -> LeaseAnswer:
        """Renew the lease if this replica holds it."""
        await self.service.reach(self.name)
        if self.service.current() != self.name:
            return HeldBy(self.service.current())
        self.service.give(self.name)
        return Granted()

    async def release(self) -> None:
        """End the lease if this replica holds it."""
        await self.service.reach(self.name)
        if self.service.current() == self.name:
            self.service.give(None)
