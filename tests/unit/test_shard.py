"""How accounts are shared out among shards, and which statuses a shard handles."""

from __future__ import annotations

import pytest

from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.share import Share
from reconciler.model.account_line import BATCH_JOB, KIND_MARK
from reconciler.model.shard import Shard
from tests.support.build import a_status

ACCOUNTS = tuple(f"openai https://api.openai.com/v1 project=proj_{number}" for number in range(600))


def owners(count: int) -> list[int]:
    """Return the index of the shard that owns each account."""
    shards = [Shard(index, count) for index in range(1, count + 1)]
    found = [[each.index for each in shards if each.owns(account)] for account in ACCOUNTS]
    return [index for (index,) in found]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_each_account_has_one_owner_and_the_shares_are_of_similar_size(count: int) -> None:
    shares = [owners(count).count(index) for index in range(1, count + 1)]

    assert sum(shares) == len(ACCOUNTS)
    assert min(shares) > len(ACCOUNTS) / count * 0.7


@pytest.mark.parametrize("count", [1, 2, 6])
def test_with_one_more_shard_accounts_move_only_to_the_new_one(count: int) -> None:
    moved = [after for before, after in zip(owners(count), owners(count + 1), strict=True) if before != after]

    assert set(moved) == {count + 1}
    assert len(moved) < 1.4 * len(ACCOUNTS) / (count + 1)


def test_all_kinds_of_job_in_an_account_have_one_owner() -> None:
    shard = Shard(1, 3)

    assert [shard.owns(each) for each in ACCOUNTS] == [shard.owns(f"{each}{KIND_MARK}{BATCH_JOB}") for each in ACCOUNTS]


@pytest.mark.parametrize("text", ["1/1", "2/3", "1000/1000"])
def test_a_shard_is_written_as_it_is_read(text: str) -> None:
    assert str(Shard.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "1", "0/3", "4/3", "1/0", "1/1001", "-1/3", "1/3/5", "1 / 3", "\u0661/\u0663", "01/3", "1/3\n"]
)
def test_a_text_that_names_no_shard_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write I/N"):
        Shard.parse(text)


def test_a_spec_without_a_valid_provider_belongs_to_the_first_shard() -> None:
    spec = ResolvedSpec("lost", "bots.yaml", None, None, None, None)

    assert [Share.of(Shard(index, 3), [spec]).has_spec(spec) for index in (1, 2, 3)] == [True, False, False]


def test_the_status_of_a_deleted_spec_belongs_to_the_shard_of_its_account() -> None:
    status = a_status()
    assert status.job is not None
    shares = [Share.of(Shard(index, 3), []) for index in (1, 2, 3)]

    assert [each.has_status(status) for each in shares] == [each.has_account(status.job.account) for each in shares]
    assert [each.has_status(status) for each in shares].count(True) == 1


@pytest.mark.parametrize("index", [1, 2, 3])
def test_the_status_of_a_spec_belongs_to_the_shard_of_the_spec(index: int) -> None:
    status = a_status()
    owner = Share(Shard(index, 3), own_names=frozenset({status.name}))
    other = Share(Shard(index, 3), other_names=frozenset({status.name}))

    assert owner.has_status(status)
    assert not other.has_status(status)


def test_without_a_shard_a_run_handles_everything() -> None:
    share = Share.of(None, [])

    assert share.has_status(a_status())
    assert all(map(share.has_account, ACCOUNTS))
