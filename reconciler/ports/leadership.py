"""The ports of an election: the lease that replicas contend for, and the leadership that a run depends on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from reconciler.model.election import LeaseAnswer

if TYPE_CHECKING:
    import asyncio  # slow to import, and most commands do not need it


class Lease(Protocol):
    """A lease that one replica at a time holds, in a service that all replicas reach.

    Each method raises `TransientError` or `PermanentError` if the service does not respond, refuses the request, or
    responds with something else than its API describes.
    """

    async def acquire(self) -> LeaseAnswer:
        """Try once to acquire the lease."""
        ...

    async def renew(self) -> LeaseAnswer:
        """Try once to renew the lease that this replica has acquired. A lease that has ended is not acquired again."""
        ...

    async def release(self) -> None:
        """Give up the lease if this replica still holds it, so that another replica need not wait until it ends."""
        ...


class Leadership(Protocol):
    """One term in which this replica leads."""

    @property
    def lost(self) -> asyncio.Event:
        """Set once the term has ended. It is never cleared."""
        ...

    def may_act(self) -> bool:
        """Return whether the replica leads now. After a long stop of the process it is False before `lost` is set."""
        ...
