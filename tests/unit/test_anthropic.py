from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import Account, JobCounts, JobRef, ListQuery, ObservedJob, Phase
from reconciler.plugin import BATCH_JOB
from reconciler.providers import load
from reconciler.providers._rest_jobs import RestJobs
from reconciler.providers._rest_service import RestService
from tests.support.canned_transport import CannedTransport, answer

REF = JobRef(Account("anthropic", "https://api.anthropic.com", kind="BatchJob"), "msgbatch_1")
COUNTS = {"processing": 0, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0}


def reader(body: object) -> RestJobs:
    type_ = load("anthropic")
    assert isinstance(type_, RestService)
    credentials = EnvCredentials("KEY", {"KEY": "k-of-the-test"})
    return RestJobs(CannedTransport([answer(body)]), credentials, type_.collections[BATCH_JOB].api)


def retrieved(status: str = "ended", cancelled_at: str | None = None, **counts: Any) -> ObservedJob:
    row = {
        "id": "msgbatch_1",
        "processing_status": status,
        "request_counts": COUNTS | counts,
        "cancel_initiated_at": cancelled_at,
        "ended_at": "2026-11-29T02:10:00Z" if status == "ended" else None,
    }
    job = asyncio.run(reader(row).get_job(REF))
    assert job is not None
    return job


@pytest.mark.parametrize(
    ("was_cancelled", "counts", "phase", "message"),
    [
        (True, {"succeeded": 23, "canceled": 77}, Phase.CANCELLED, None),
        (True, {"canceled": 100}, Phase.CANCELLED, None),
        (True, {"succeeded": 100}, Phase.SUCCEEDED, None),
        (True, {"errored": 100}, Phase.FAILED, "errored: 0 of 100 done"),
        (False, {"succeeded": 23, "canceled": 77}, Phase.CANCELLED, None),
        (False, {"succeeded": 100}, Phase.SUCCEEDED, None),
        (False, {"succeeded": 99, "errored": 1}, Phase.SUCCEEDED, "1 errored"),
        (False, {"succeeded": 60, "expired": 40}, Phase.SUCCEEDED, "40 expired"),
        (False, {"expired": 100}, Phase.FAILED, "expired: 0 of 100 done"),
        (False, {"errored": 50, "expired": 50}, Phase.FAILED, "expired: 0 of 100 done"),
    ],
)
def test_how_a_batch_ended_is_derived_from_its_counts(
    counts: dict[str, int], phase: Phase, message: str | None, *, was_cancelled: bool
) -> None:
    job = retrieved("ended", "2026-11-29T02:00:00Z" if was_cancelled else None, **counts)

    assert (job.phase, job.provider_status) == (phase, "ended")
    assert getattr(job.error, "message", None) == message


def test_the_counts_of_a_running_batch_are_unknown_but_for_the_total() -> None:
    assert retrieved("in_progress", processing=100).counts == JobCounts(total=100)


@pytest.mark.parametrize("odd", [None, -1, "100", 2**63, 10**4299])
def test_a_batch_that_ended_with_unreadable_counts_is_in_no_known_phase(odd: object) -> None:
    assert retrieved(succeeded=odd).phase is Phase.UNKNOWN


def test_a_batch_with_counts_that_are_too_large_does_not_make_its_list_unreadable() -> None:
    rows = [
        {"id": f"msgbatch_{number}", "processing_status": "ended", "request_counts": {**COUNTS, **counts}}
        for number, counts in enumerate([{"succeeded": 1}, {"succeeded": 10**4299, "errored": 10**4299 * 9}])
    ]
    page = asyncio.run(reader({"data": rows, "has_more": False}).list_page(ListQuery(2), None))

    assert [(each.id, each.phase) for each in page.jobs] == [
        ("msgbatch_0", Phase.SUCCEEDED),
        ("msgbatch_1", Phase.UNKNOWN),
    ]
