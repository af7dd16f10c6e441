"""When the oracle of replicas allows requests: as long as the last grant that arrived in time."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from tests.scenario.history import History
from tests.scenario.process import SPECS, Machine
from tests.scenario.replicas import TIMING, Replica, SkewedClock, WitnessedLease
from tests.support.clock import BASE, in_virtual_time
from tests.support.non_durable_disk import NonDurableDisk
from tests.support.simulated_leases import LeaseService, SimulatedLease


def a_lease() -> WitnessedLease:
    """Return the lease of a replica whose clock is right."""
    clock = SkewedClock(timedelta(0))
    machine = Machine(NonDurableDisk(SPECS.parent), {}, {}, clock, History(0, BASE, {}))
    service = LeaseService(TIMING.lease_s, clock.monotonic)
    replica = Replica("a1", 1, machine, timedelta(0), 1.0, service)
    return WitnessedLease(SimulatedLease(service, replica.name), replica)


def test_a_renewal_in_time_allows_requests_from_when_it_was_sent() -> None:
    lease = a_lease()

    async def main() -> None:
        await lease.acquire()
        await asyncio.sleep(TIMING.renew_s - 2)
        lease.lease.service.delay_s = 0.5
        await lease.renew()

        assert lease.replica.leads_until == 2 * TIMING.renew_s - 2

    in_virtual_time(main)


def test_a_renewal_that_arrives_after_the_end_of_the_last_grant_allows_no_request() -> None:
    lease = a_lease()

    async def main() -> None:
        await lease.acquire()
        await asyncio.sleep(TIMING.renew_s - 2)
        lease.lease.service.delay_s = 3.0
        await lease.renew()

        assert lease.lease.service.current() == "a1", "the service has renewed the lease"
        assert lease.replica.leads_until == TIMING.renew_s

        await lease.acquire()
        assert lease.replica.leads_until > lease.replica.elapsed(), "a new term has begun"

    in_virtual_time(main)
