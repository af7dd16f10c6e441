"""Specs for jobs that have none."""

from __future__ import annotations

from typing import Any

import pytest

from reconciler.controller.adopt import NAME_MAX, NO_ID, Adoption, adopt
from reconciler.controller.unmanaged import AccountListing
from reconciler.model.job import Account
from reconciler.ports import BrokenJob, Snapshot
from tests.support.build import ACCOUNT, a_job, a_spec
from tests.support.documents import a_provider, located
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import NOBODY


def adopted(*ids: str, snapshot: Snapshot | None = None, alias: str = "openai") -> tuple[Adoption, ...]:
    """Return the specs for unmanaged with these ids in one account."""
    listing = AccountListing(alias, ACCOUNT, tuple(a_job(id=id_) for id_ in ids), len(ids))
    return adopt(snapshot or Snapshot(), [listing], NOBODY)


def names(*ids: str, **rest: Any) -> list[str]:
    return [each.name for each in adopted(*ids, **rest)]


def test_a_stranger_gets_a_spec_of_its_ids_name_in_its_accounts_folder() -> None:
    (found,) = adopted("ftjob-ABC_1")

    assert found == Adoption(
        "ftjob-abc-1", "adopted/openai/ftjob-abc-1.yaml", "openai", a_job(id="ftjob-ABC_1"), problem=None
    )


def test_where_there_is_no_stranger_nothing_is_to_be_written() -> None:
    assert adopted() == ()


@pytest.mark.parametrize(
    "snapshot",
    [
        Snapshot(jobs=(located(a_spec("ftjob-1", jobId="ftjob-other")),)),
        Snapshot(broken_jobs=(BrokenJob(name="ftjob-1", file="b.yaml", diagnostics=()),)),
    ],
    ids=["a valid spec", "one that is not valid"],
)
def test_a_name_that_a_spec_has_is_told_apart_by_a_hash_of_the_id(snapshot: Snapshot) -> None:
    (found,) = adopted("ftjob-1", snapshot=snapshot)

    assert found.name.startswith("ftjob-1-")
    assert len(found.name) == len("ftjob-1-") + 6
    assert found.problem is None


def test_two_ids_that_look_alike_as_names_are_told_apart() -> None:
    first, second = adopted("ftjob_1", "ftjob.1")

    assert first.name == "ftjob-1"
    assert second.name.startswith("ftjob-1-")
    assert (first.problem, second.problem) == (None, None)


def test_a_long_id_is_cut_to_a_name_with_a_hash_of_it() -> None:
    long = "ftjob-" + "a" * 100
    (one,), (other,) = names(long), names(long + "b")

    assert len(one) == len(other) == NAME_MAX
    assert one != other
    assert one.startswith("ftjob-aaaa")


def test_a_cut_leaves_no_two_dashes_before_the_hash() -> None:
    (name,) = names("a" * 55 + "-" + "b" * 20)

    assert name.startswith("a" * 55 + "-")
    assert "--" not in name


def test_an_id_without_a_letter_or_digit_has_a_name_all_the_same() -> None:
    (found,) = adopted("__")

    assert found.name.startswith("job-")
    assert found.problem is not None


def test_one_id_in_three_accounts_has_three_names() -> None:
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


# What cannot be written


@pytest.mark.parametrize("id_", ["ftjob\n1", "x" * 600], ids=["two lines", "too long"])
def test_an_id_that_no_spec_can_hold_is_told_and_keeps_no_other_from_being_adopted(id_: str) -> None:
    wrong, right = adopted(id_, "ftjob-2")

    assert wrong.problem == NO_ID
    assert right.problem is None


def test_an_id_that_its_type_does_not_allow_is_told() -> None:
    (found,) = adopted("a/b")

    assert str(found.problem).startswith("'a/b' is not a job id of openai")


def test_a_spec_whose_folder_may_not_use_the_account_is_told() -> None:
    kept = located(a_provider("openai", allowedPaths=["team/**"]), "p.yaml")
    (found,) = adopted("ftjob-1", snapshot=Snapshot(providers=(kept,)))

    assert found.problem == "provider 'openai' may be used only by files that match team/**"
