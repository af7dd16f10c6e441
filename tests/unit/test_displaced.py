"""The statuses that are kept before they are overwritten, because specs have exchanged their names."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.reconcile import reconcile_once
from reconciler.controller.run_options import RunOptions
from reconciler.core.claim import Claim
from reconciler.core.displaced import displaced
from reconciler.model.job import JobRef, Phase
from reconciler.model.kept_name import kept_names
from reconciler.model.reason import Reason
from reconciler.model.scalar import NAME_MAX, is_name
from reconciler.model.status import JobFacts, JobStatus
from tests.support.build import ACCOUNT, a_spec, a_status
from tests.support.in_memory import World
from tests.support.in_memory_accounts import PickyStatuses, a_world, an_account, controlled
from tests.support.subjects import HOUR, a_receipt

ASKED = a_receipt(age=HOUR)


def claim(key: int, name: str, job: str | None) -> Claim:
    ref = JobRef(ACCOUNT, job) if job else None
    return Claim(key, name, "bots.yaml", ref, ref)


def status(name: str, job: str) -> JobStatus:
    facts = JobFacts(account=str(ACCOUNT), id=job, provider_status="running")
    return a_status(name, job=facts, receipts=(ASKED,), phase=Phase.RUNNING, final=False)


ONE, TWO = status("one", "ftjob-1"), status("two", "ftjob-2")
BEFORE = {"one.yaml": ONE, "two.yaml": TWO}
SWAPPED = [claim(0, "two", "ftjob-1"), claim(1, "one", "ftjob-2")]


def test_a_status_is_kept_before_another_job_gets_its_name() -> None:
    (found,) = displaced(SWAPPED[:1], SWAPPED, [ONE, TWO])

    assert found.key == 0
    assert found.copy == replace(TWO, name=next(kept_names(TWO)))


def test_no_status_is_kept_if_each_has_its_name_or_no_spec_names_its_job() -> None:
    unswapped = [claim(0, "one", "ftjob-1"), claim(1, "two", "ftjob-2")]

    assert displaced(unswapped, unswapped, [ONE, TWO]) == ()
    assert displaced(SWAPPED[:1], SWAPPED[:1], [ONE, TWO]) == ()


def test_a_status_whose_receipts_are_also_elsewhere_is_not_kept_again() -> None:
    copy = replace(TWO, name=next(kept_names(TWO)))

    assert displaced(SWAPPED, SWAPPED, [ONE, TWO, copy, replace(ONE, name="two")]) == ()


def test_a_copy_with_fewer_receipts_is_replaced() -> None:
    copy = replace(TWO, name=next(kept_names(TWO)), receipts=())
    (found,) = displaced(SWAPPED[:1], SWAPPED, [ONE, TWO, copy])

    assert found.copy is not None
    assert found.copy.receipts == (ASKED,)


def test_a_status_is_kept_under_a_longer_name_if_a_spec_has_the_shorter_one() -> None:
    first, second, *_ = kept_names(TWO)
    (found,) = displaced(SWAPPED[:1], [*SWAPPED, claim(2, first, "ftjob-3")], [ONE, TWO])

    assert found.copy is not None
    assert found.copy.name == second


def test_a_status_whose_names_are_all_used_by_specs_is_reported_without_a_copy() -> None:
    others = [claim(key, name, f"ftjob-{key}") for key, name in enumerate(kept_names(TWO), 5)]
    (found,) = displaced(SWAPPED[:1], [*SWAPPED, *others], [ONE, TWO])

    assert found.copy is None


def test_the_names_of_kept_statuses_are_valid_names() -> None:
    names = [*kept_names(TWO), *kept_names(status("a" * NAME_MAX, "ftjob-1"))]

    assert all(map(is_name, names))
    assert len(set(names)) == len(names)


def a_swapped_world(statuses: PickyStatuses) -> World:
    """Return a world in which two specs that want cancels have exchanged their names."""
    specs = [a_spec("two", jobId="ftjob-1"), a_spec("one", jobId="ftjob-2")]
    world = a_world(an_account("ftjob-1", "ftjob-2"), *specs)
    return replace(world, statuses=statuses)


def test_a_pass_after_a_swap_leaves_each_receipt_under_its_new_name() -> None:
    statuses = PickyStatuses(dict(BEFORE))
    world = a_swapped_world(statuses)
    for _ in range(2):
        asyncio.run(reconcile_once(controlled(world), RunOptions(), PassMemory()))
    found = {each.name: each for each in statuses.jobs.values()}

    assert {name: each.job and each.job.id for name, each in found.items()} == {"two": "ftjob-1", "one": "ftjob-2"}
    assert [each.receipts[0].requested_at for each in found.values()] == [ASKED.requested_at] * 2


def test_a_spec_is_skipped_while_the_status_with_its_name_cannot_be_kept() -> None:
    copy = next(kept_names(TWO))
    full = OSError(28, "No space left on device")
    statuses = PickyStatuses(dict(BEFORE), refuse=lambda name: full if name == copy else None)
    world = a_swapped_world(statuses)
    report = asyncio.run(reconcile_once(controlled(world), RunOptions(), PassMemory())).report

    assert {row.name: row.status.ready.reason for row in report.rows}["two"] is Reason.STATUS_UNKNOWN
    assert any("No space left on device" in each and each.startswith("two: ") for each in report.errors)
    assert statuses.jobs["two.yaml"] == TWO
