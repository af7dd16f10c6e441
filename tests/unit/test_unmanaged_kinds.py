"""Jobs without a spec that are of another kind, or whose kind a list row does not show."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from reconciler.controller.unmanaged import AccountListing, list_unmanaged
from reconciler.errors import Kind, PermanentError
from reconciler.model.job import UNSET, JobRef, ObservedJob, Phase, Unset
from reconciler.model.reason import Reason
from reconciler.ports import Snapshot
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import located
from tests.support.in_memory import OpenAccounts, World
from tests.support.in_memory_operator import Operator
from tests.support.read_only_account import ReadOnlyAccount, account_of, named

FINE_TUNING, OTHER, UNCLEAR = True, False, UNSET
DENIED = PermanentError("401: the key is not accepted", kind=Kind.DENIED)


class Describing(ReadOnlyAccount):
    """An account whose retrieved jobs show their kind: `ftjob-0002` is of another kind, and `ftjob-0004` is gone."""

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job with its kind."""
        job = await super().get_job(ref)
        if job is None or job.id == "ftjob-0004":
            return None
        return replace(job, is_of_kind=ref.id != "ftjob-0002")


def account_with(*rows: bool | Unset) -> Describing:
    """Return an account whose list shows running jobs with these values of `is_of_kind`."""
    jobs = account_of(len(rows)).jobs.values()
    return Describing({job.id: replace(job, is_of_kind=row) for job, row in zip(jobs, rows, strict=True)})


def listed(reader: ReadOnlyAccount, *, is_unfinished: bool = False) -> AccountListing:
    """List the unmanaged jobs of an account whose first job has a spec."""
    runtime = World(operator=Operator(), accounts=OpenAccounts({ACCOUNT: reader})).runtime()
    snapshot = Snapshot(jobs=(located(a_spec("a", jobId="ftjob-0000"), "a.yaml"),))
    (found,) = asyncio.run(list_unmanaged(snapshot, runtime, is_unfinished=is_unfinished))
    return found


def test_a_job_of_another_kind_is_not_unmanaged_but_is_counted() -> None:
    found = listed(account_with(FINE_TUNING, FINE_TUNING, OTHER, FINE_TUNING))

    assert ([job.id for job in found.unmanaged], found.others, found.jobs) == (named(1, 3), 1, 4)


def test_a_managed_job_of_another_kind_is_not_counted() -> None:
    found = listed(account_with(OTHER, FINE_TUNING))

    assert ([job.id for job in found.unmanaged], found.others) == (named(1), 0)


def test_a_job_without_a_spec_whose_row_does_not_show_its_kind_is_retrieved() -> None:
    reader = account_with(UNCLEAR, FINE_TUNING, UNCLEAR, UNCLEAR)
    found = listed(reader)

    assert ([job.id for job in found.unmanaged], found.others) == (named(1, 3), 1)
    assert reader.asked == ["page 1", *named(2, 3)]


def test_a_job_that_is_gone_when_it_is_retrieved_is_left_out() -> None:
    found = listed(account_with(*[UNCLEAR] * 5))

    assert ([job.id for job in found.unmanaged], found.others) == (named(1, 3), 1)


def test_a_list_with_a_job_that_cannot_be_retrieved_is_incomplete() -> None:
    reader = account_with(FINE_TUNING, UNCLEAR, UNCLEAR)
    reader.broken["ftjob-0002"] = DENIED
    found = listed(reader)

    assert found.unmanaged == ()
    assert found.unobserved is not None
    assert found.unobserved.reason is Reason.AUTHENTICATION_FAILED


def test_a_finished_job_is_not_retrieved_if_finished_jobs_are_left_out() -> None:
    reader = account_with(*[UNCLEAR] * 4)
    reader.jobs["ftjob-0001"] = replace(reader.jobs["ftjob-0001"], phase=Phase.SUCCEEDED)
    found = listed(reader, is_unfinished=True)

    assert [job.id for job in found.unmanaged] == named(3)
    assert reader.asked == ["page 1", *named(2, 3)]
