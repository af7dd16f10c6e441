"""How a watch ends: after a request to stop, or because of a bug."""

from __future__ import annotations

import asyncio

import pytest

from reconciler.controller.build_report import PassResult
from reconciler.controller.watch import GRACE_S
from reconciler.ports import Snapshot
from tests.support.clock import in_virtual_time
from tests.support.in_memory import Specs
from tests.support.in_memory_accounts import (
    named_specs,
)
from tests.support.watch_in_memory import observed, running_watch

HOUR_S = 3600.0


def test_a_stopping_watch_lets_running_requests_finish() -> None:
    async def main() -> None:
        async with running_watch(*named_specs("chat")) as watch:
            watch.account.takes_s["cancel ftjob-chat"] = GRACE_S - 5.0
            await asyncio.sleep(1.0)
            watch.stop.set()
            await watch.task

            assert watch.account.changes == ["cancel ftjob-chat"]
            assert watch.world.statuses.jobs["chat.yaml"].receipts[0].accepted_at is not None
            assert watch.health.overview.is_stopping
            assert asyncio.get_running_loop().time() == pytest.approx(GRACE_S - 5.0, abs=0.5)

    in_virtual_time(main)


def test_a_request_that_outlasts_the_grace_period_is_abandoned_with_an_open_receipt() -> None:
    async def main() -> None:
        async with running_watch(*named_specs("chat")) as watch:
            watch.account.takes_s["cancel ftjob-chat"] = HOUR_S
            await asyncio.sleep(1.0)
            watch.stop.set()
            await watch.task

            assert asyncio.get_running_loop().time() == pytest.approx(1.0 + GRACE_S, abs=0.5)
            assert watch.world.statuses.jobs["chat.yaml"].open_receipt is not None
            assert watch.account.changes == []

    in_virtual_time(main)


def test_an_idle_watch_stops_at_once() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat")) as watch:
            await asyncio.sleep(100.0)
            watch.stop.set()
            await watch.task

            assert asyncio.get_running_loop().time() == pytest.approx(100.0, abs=0.1)

    in_virtual_time(main)


def test_an_exception_in_a_listener_does_not_end_the_watch() -> None:
    def fail(_: PassResult) -> None:
        raise ZeroDivisionError

    async def main() -> None:
        async with running_watch(*observed("chat"), tell=fail) as watch:
            await asyncio.sleep(200.0)

            assert not watch.task.done()
            assert len(watch.account.when("ftjob-chat")) > 1

    in_virtual_time(main)


class Torn(Specs):
    """Specs whose third snapshot and every later one raises because of a bug."""

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return a snapshot, or raise `ZeroDivisionError` from the third call on."""
        if len(self.reads) > 1:
            raise ZeroDivisionError
        return super().snapshot(by_content=by_content)


def test_a_bug_in_a_pass_ends_the_watch_and_is_raised() -> None:
    async def main() -> None:
        async with running_watch(*observed("chat"), specs_dir=Torn()) as watch:
            await asyncio.sleep(500.0)
            with pytest.raises(ZeroDivisionError):
                await watch.task

    in_virtual_time(main)
