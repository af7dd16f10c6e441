"""The unmanaged jobs of an account: a complete list of them, or the reason why it is missing."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from reconciler.controller.listing import PAGES_MAX
from reconciler.controller.unmanaged import AccountListing, list_unmanaged
from reconciler.errors import Kind, PermanentError, ProviderError
from reconciler.model.job import Account, JobPage, ListQuery, Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.ports import JobReader, Snapshot
from tests.support.build import ACCOUNT, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory import OpenAccounts, World
from tests.support.in_memory_operator import Operator
from tests.support.read_only_account import EndlessList, LoopingList, ReadOnlyAccount, account_of, named
from tests.support.subjects import DAY, HOUR

DENIED = PermanentError("401: the key is not accepted", kind=Kind.DENIED)
EU = Account("openai", ACCOUNT.base_url, (("project", "proj_eu"),))


def spec_of(id_: str, name: str = "a", provider: str = "openai") -> Any:
    return located(a_spec(name, jobId=id_, provider=provider), f"{name}.yaml")


def listed(
    snapshot: Snapshot, readers: dict[Account, JobReader | Exception], provider: str | None = None
) -> tuple[AccountListing, ...]:
    """List the unmanaged jobs in the accounts of a revision, which are read by these readers."""
    runtime = World(operator=Operator(), accounts=OpenAccounts(readers)).runtime()
    return asyncio.run(list_unmanaged(snapshot, runtime, provider))


def the_one(reader: JobReader | Exception, *jobs: Any) -> AccountListing:
    """List the unmanaged jobs in the default OpenAI account, which these specs use."""
    (found,) = listed(Snapshot(jobs=jobs or (spec_of("ftjob-0000"),)), {ACCOUNT: reader})
    return found


def test_jobs_without_a_spec_are_unmanaged_in_the_order_of_the_account() -> None:
    found = the_one(account_of(250), spec_of("ftjob-0001", "a"), spec_of("ftjob-0249", "b"))

    assert (found.alias, found.account, found.jobs, found.unobserved) == ("openai", ACCOUNT, 250, None)
    assert [job.id for job in found.unmanaged] == named(0, *range(2, 249))


def test_an_account_is_listed_in_the_largest_pages_without_other_requests() -> None:
    reader = account_of(250)
    the_one(reader)

    assert reader.asked == ["page 1", "page 2", "page 3"]


def test_a_job_that_a_spec_names_by_an_alias_is_not_unmanaged() -> None:
    reader = account_of(2)
    first, second = reader.jobs.values()
    reader.jobs[first.id] = replace(first, aliases=("ftjob-alias",))

    assert the_one(reader, spec_of("ftjob-alias")).unmanaged == (second,)


def test_a_job_of_two_duplicate_specs_is_not_unmanaged() -> None:
    found = the_one(account_of(2), spec_of("ftjob-0000", "a"), spec_of("ftjob-0000", "b"))

    assert [job.id for job in found.unmanaged] == named(1)


def test_an_account_without_jobs_has_a_complete_list() -> None:
    assert the_one(account_of(0)) == AccountListing("openai", ACCOUNT)


# Which accounts are listed


def test_an_account_with_several_names_is_listed_once_by_its_first_name() -> None:
    eu = located(a_provider("eu", options={"project": "proj_eu"}), "p.yaml")
    same = located(a_provider("alias"), "q.yaml")
    snapshot = Snapshot(providers=(eu, same), jobs=(spec_of("ftjob-0000"),))
    readers: dict[Account, JobReader | Exception] = {ACCOUNT: account_of(1), EU: account_of(3)}
    found = listed(snapshot, readers)

    assert [(each.alias, each.account, each.jobs) for each in found] == [("alias", ACCOUNT, 1), ("eu", EU, 3)]


def test_one_account_can_be_listed_by_provider_document_or_by_type() -> None:
    eu = located(a_provider("eu", options={"project": "proj_eu"}), "p.yaml")
    readers: dict[Account, JobReader | Exception] = {ACCOUNT: account_of(1), EU: account_of(3)}

    assert [each.account for each in listed(Snapshot(providers=(eu,)), readers, "eu")] == [EU]
    assert [each.account for each in listed(Snapshot(providers=(eu,)), readers, "openai")] == [ACCOUNT]


def test_a_job_named_by_a_spec_of_another_project_with_the_same_key_is_not_unmanaged() -> None:
    eu = located(a_provider("eu", options={"project": "proj_eu"}), "p.yaml")
    snapshot = Snapshot(providers=(eu,), jobs=(spec_of("ftjob-0001", provider="eu"),))
    (found,) = listed(snapshot, {ACCOUNT: account_of(2), EU: account_of(2)}, "openai")

    assert [job.id for job in found.unmanaged] == named(0)


# Incomplete lists


class Garbled(ReadOnlyAccount):
    """An account whose list pages each contain two unreadable rows."""

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return a page with unreadable rows."""
        return replace(await super().list_page(query, cursor), garbled=2)


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (account_of(250, kind=Garbled), "2 rows of the list cannot be read"),
        (account_of(250, kind=LoopingList), "the list has more than 2 pages, so it was not read to its end"),
        (account_of(0, kind=EndlessList), f"the list has more than {PAGES_MAX} pages, so it was not read to its end"),
    ],
    ids=["unreadable rows", "a repeated page", "an endless list"],
)
def test_an_incomplete_list_is_reported_as_unobserved(reader: ReadOnlyAccount, message: str) -> None:
    assert the_one(reader) == AccountListing(
        "openai", ACCOUNT, unobserved=Unobserved(Reason.OBSERVATION_INCOMPLETE, message)
    )


def test_a_list_that_fails_halfway_reports_no_unmanaged_jobs() -> None:
    reader = account_of(250)
    reader.broken["page 3"] = DENIED
    found = the_one(reader)

    assert (found.unmanaged, found.jobs) == ((), 0)
    assert found.unobserved is not None
    assert (found.unobserved.reason, found.unobserved.message) == (Reason.AUTHENTICATION_FAILED, str(DENIED))


@pytest.mark.parametrize(
    ("error", "reason"),
    [(DENIED, Reason.AUTHENTICATION_FAILED), (KeyError("bug"), Reason.CANNOT_OBSERVE_PROVIDER)],
    ids=["no key", "a bug of its provider type"],
)
def test_an_account_that_cannot_be_opened_does_not_prevent_other_lists(error: Exception, reason: Reason) -> None:
    eu = located(a_provider("eu", options={"project": "proj_eu"}), "p.yaml")
    snapshot = Snapshot(providers=(eu,), jobs=(spec_of("ftjob-0000"),))
    first, second = listed(snapshot, {EU: error, ACCOUNT: account_of(1)})

    assert first.unobserved is not None
    assert (first.unobserved.reason, first.unobserved.is_defect) == (reason, not isinstance(error, ProviderError))
    assert (second.jobs, second.unobserved) == (1, None)


def test_an_unknown_provider_name_is_reported_with_a_suggestion() -> None:
    (found,) = listed(Snapshot(), {}, "opnai")

    assert (found.alias, found.account) == ("opnai", None)
    assert found.unobserved == Unobserved(
        Reason.INVALID_PROVIDER, "'opnai' is not a provider type; did you mean 'openai'?", is_transient=False
    )


# How far a list is read


BATCHES = ACCOUNT.of_kind("BatchJob")


def batches(*ages: timedelta) -> ReadOnlyAccount:
    """Return an account with batches of these ages, in that order. Those of nine days have ended."""
    reader = account_of(len(ages))
    for job, age in zip(list(reader.jobs.values()), ages, strict=True):
        phase = Phase.SUCCEEDED if age == 9 * DAY else Phase.RUNNING
        reader.jobs[job.id] = replace(job, phase=phase, created_at=World().clock.now() - age)
    return reader


def the_batches(reader: ReadOnlyAccount) -> AccountListing:
    """List the unmanaged batches of an account. Only a fine-tuning job has a spec."""
    runtime = World(operator=Operator(), accounts=OpenAccounts({BATCHES: reader})).runtime()
    snapshot = Snapshot(jobs=(spec_of("ftjob-0000"),))
    (found,) = asyncio.run(list_unmanaged(snapshot, runtime, kind="BatchJob"))
    return found


@pytest.mark.parametrize(
    ("ages", "pages"),
    [
        ([HOUR] * 100 + [9 * DAY] * 200, 2),
        ([HOUR] * 100 + [7 * DAY] * 200, 3),
        ([2 * HOUR] * 99 + [HOUR] + [9 * DAY] * 200, 3),
        ([9 * DAY] * 100 + [HOUR] * 150, 3),
        ([HOUR] * 100 + [10 * DAY] * 200, 3),
    ],
    ids=[
        "older than any unfinished batch",
        "young enough",
        "not newest first",
        "oldest first, a page of one time",
        "old ones are unfinished",
    ],
)
def test_a_list_of_batches_is_read_as_far_as_unfinished_ones_can_be(ages: list[timedelta], pages: int) -> None:
    reader = batches(*ages)
    found = the_batches(reader)

    assert found.unobserved is None
    assert len(reader.asked) == pages
    assert found.read_back_to == (World().clock.now() - 8 * DAY if pages == 2 else None)


def test_a_batch_with_an_unknown_status_word_may_be_unfinished() -> None:
    reader = batches(9 * DAY, HOUR)
    reader.jobs["ftjob-0001"] = replace(reader.jobs["ftjob-0001"], phase=Phase.UNKNOWN)

    assert [(job.id, job.phase) for job in the_batches(reader).unmanaged] == [("ftjob-0001", Phase.UNKNOWN)]


def test_a_list_of_fine_tuning_jobs_is_read_to_its_end_whatever_their_age() -> None:
    reader = batches(*[90 * DAY] * 300)

    assert (the_one(reader).jobs, the_one(reader).read_back_to) == (300, None)
