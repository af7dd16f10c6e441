"""A pass records its news in the outbox, for sinks that receive the jobs of a team."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from reconciler.controller.build_report import PassResult
from reconciler.controller.notifier import Notifier
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import RunOptions
from reconciler.local.outbox import StateOutbox
from reconciler.model.job import Phase
from reconciler.model.operator import NotifySink
from tests.support.build import a_spec
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.in_memory_accounts import a_world, an_account, controlled
from tests.support.non_durable_disk import NonDurableDisk

ROOT = Path("/state")


class SilentSink:
    """A sink to which nothing is delivered, because its notifier is never started."""

    name = "team"
    is_for_people = False
    knows_ids = True

    async def deliver(self, *_: object, **__: object) -> None:
        """Deliver nothing."""


class FullDisk(NonDurableDisk):
    """A disk on which no file can be written."""

    def write_beside(self, target: Path, data: bytes) -> Path:
        """Raise the error of a full disk."""
        del data
        raise OSError(errno.ENOSPC, "No space left on device", str(target))


def told(disk: NonDurableDisk, **runtime: Any) -> tuple[PassResult, list[tuple[str, ...]]]:
    """Make a pass over a job that failed, with one sink. Return its result, and the jobs of the waiting news."""

    async def main() -> None:
        where = {"env": "X"}
        rules = NotifySink.model_validate({"name": "team", "type": "webhook", "url": where, "secret": where})
        outbox = StateOutbox(ROOT, disk, {"team": ""})
        notifier = Notifier(outbox, [(SilentSink(), rules)], VirtualClock(), lambda: 0.5, print)
        world = a_world(an_account(phase=Phase.FAILED), a_spec(desiredState="running"))
        result = await reconcile_once(controlled(world, news=notifier, **runtime), RunOptions(), PassMemory())
        found.append((result, [each.notification.jobs for each in outbox.waiting("team")]))

    found: list[tuple[PassResult, list[tuple[str, ...]]]] = []
    in_virtual_time(main)
    return found[0]


def test_a_pass_that_finds_a_failed_job_records_the_news_of_it() -> None:
    result, waiting = told(NonDurableDisk(ROOT))

    assert waiting == [("support-triage",)]
    assert result.report.notices == ()


def test_a_dry_run_records_no_news() -> None:
    _, waiting = told(NonDurableDisk(ROOT), control=None)

    assert waiting == []


def test_a_pass_reports_that_its_news_could_not_be_recorded() -> None:
    result, waiting = told(FullDisk(ROOT))

    assert waiting == []
    assert [each.split(":")[0] for each in result.report.notices] == [
        "the notifications of this pass could not be recorded"
    ]
