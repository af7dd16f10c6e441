"""The specs that `adopt` writes for unmanaged jobs."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.adopt import NO_ID, Adoption, adopt
from reconciler.controller.unmanaged import AccountListing
from reconciler.model.job import Account
from reconciler.model.kind import KINDS
from reconciler.model.scalar import NAME_MAX
from reconciler.ports import BrokenJob, Snapshot
from tests.support.build import ACCOUNT, a_job, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import NOBODY


def adopted(*ids: str, snapshot: Snapshot | None = None, alias: str = "openai") -> tuple[Adoption, ...]:
    """Return the specs for unmanaged jobs with these ids in one account."""
    listing = AccountListing(alias, ACCOUNT, tuple(a_job(id=id_) for id_ in ids), len(ids))
    return adopt(snapshot or Snapshot(), [listing], NOBODY)


def names(*ids: str, **rest: Any) -> list[str]:
    return [each.name for each in adopted(*ids, **rest)]


def test_an_unmanaged_job_gets_a_spec_named_after_its_id_in_the_folder_of_its_account() -> None:
    (found,) = adopted("ftjob-ABC_1")

    assert found == Adoption(
        "ftjob-abc-1", "adopted/openai/ftjob-abc-1.yaml", "openai", a_job(id="ftjob-ABC_1"), problem=None
    )


def test_without_unmanaged_jobs_there_are_no_specs_to_write() -> None:
    assert adopted() == ()


@pytest.mark.parametrize(
    "snapshot",
    [
        Snapshot(jobs=(located(a_spec("ftjob-1", jobId="ftjob-other")),)),
        Snapshot(broken_jobs=(BrokenJob(name="ftjob-1", file="b.yaml", diagnostics=()),)),
    ],
    ids=["a valid spec", "one that is not valid"],
)
def test_a_hash_of_the_id_is_added_to_a_name_that_is_taken(snapshot: Snapshot) -> None:
    (found,) = adopted("ftjob-1", snapshot=snapshot)

    assert found.name.startswith("ftjob-1-")
    assert len(found.name) == len("ftjob-1-") + 6
    assert found.problem is None


def test_two_ids_that_give_the_same_name_get_different_names() -> None:
    first, second = adopted("ftjob_1", "ftjob.1")

    assert first.name == "ftjob-1"
    assert second.name.startswith("ftjob-1-")
    assert (first.problem, second.problem) == (None, None)


def test_a_long_id_is_shortened_to_a_unique_name() -> None:
    long = "ftjob-" + "a" * 100
    (one,), (other,) = names(long), names(long + "b")

    assert len(one) == len(other) == NAME_MAX
    assert one != other
    assert one.startswith("ftjob-aaaa")


def test_a_shortened_name_does_not_contain_two_consecutive_dashes() -> None:
    (name,) = names("a" * 55 + "-" + "b" * 20)

    assert name.startswith("a" * 55 + "-")
    assert "--" not in name


def test_an_id_without_letters_and_digits_gets_a_generated_name_and_a_problem() -> None:
    (found,) = adopted("__")

    assert found.name.startswith("job-")
    assert found.problem is not None


def test_the_same_id_in_three_accounts_gets_three_names() -> None:
    providers = tuple(
        located(a_provider(name, baseUrl=f"https://{name}.example"), f"{name}.yaml") for name in ("a", "b", "c")
    )
    operator = Operator({"RECONCILE_TRUST": ",".join(f"OPENAI_API_KEY={name}.example" for name in "abc")})
    listings = [
        AccountListing(name, Account("openai", f"https://{name}.example"), (a_job(id="ftjob-1"),)) for name in "abc"
    ]
    found = adopt(Snapshot(providers=providers), listings, operator)

    assert len({each.name for each in found}) == 3
    assert [each.problem for each in found] == [None, None, None]


def test_the_same_id_in_each_kind_of_two_accounts_gets_four_names() -> None:
    accounts = [Account("openai", f"https://{name}.example", kind=kind) for name in "ab" for kind in KINDS]
    listings = [AccountListing(each.host[0], each, (a_job(id="same-1"),)) for each in accounts]
    found = adopt(Snapshot(), listings, NOBODY)

    assert len({each.file for each in found}) == len(accounts)


# Jobs that cannot be adopted


@pytest.mark.parametrize("id_", ["ftjob\n1", "x" * 600], ids=["two lines", "too long"])
def test_an_id_that_a_spec_cannot_contain_does_not_prevent_the_adoption_of_others(id_: str) -> None:
    wrong, right = adopted(id_, "ftjob-2")

    assert wrong.problem == NO_ID
    assert right.problem is None


def test_an_id_that_is_invalid_for_its_provider_type_is_a_problem() -> None:
    (found,) = adopted("a/b")

    assert str(found.problem).startswith("'a/b' is not a job id of openai")


def test_a_folder_that_may_not_use_the_account_is_a_problem() -> None:
    kept = located(a_provider("openai", allowedPaths=["team/**"]), "p.yaml")
    (found,) = adopted("ftjob-1", snapshot=Snapshot(providers=(kept,)))

    assert found.problem == "provider 'openai' may be used only by files that match team/**"
