"""How the accounts of a run are opened and closed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from reconciler.controller.account_resolver import AccountResolver
from reconciler.controller.resolved_account import ResolvedAccount
from reconciler.errors import Delivered, TransientError
from reconciler.model.job import JobRef, ListQuery
from reconciler.wiring.open_accounts import OpenAccounts
from tests.support.build import ACCOUNT, NOW
from tests.support.in_memory_accounts import a_target
from tests.support.in_memory_operator import Operator
from tests.support.spec_revisions import revision


def test_an_account_opened_after_the_stop_sends_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-key")

    async def retrieve_after_the_stop() -> None:
        async with AsyncExitStack() as stack:
            accounts = OpenAccounts(stack, tmp_path, (), lambda: NOW)
            stop = asyncio.Event()
            stop.set()
            await accounts.close_at(stop)
            reader = await accounts.open(a_target())
            await reader.get_job(JobRef(ACCOUNT, "ftjob-abc123"))

    with pytest.raises(TransientError, match="about to stop") as caught:
        asyncio.run(retrieve_after_the_stop())

    assert caught.value.delivered is Delivered.NO


def test_the_kinds_of_one_account_share_its_pace_and_count_their_requests_together(tmp_path: Path) -> None:
    async def opened() -> tuple[object, object, int]:
        async with AsyncExitStack() as stack:
            accounts = OpenAccounts(stack, tmp_path, (), lambda: NOW)
            jobs = account_of_type("sandbox")
            batches = jobs.of_kind("BatchJob")
            assert batches is not None
            readers = await accounts.open(jobs), await accounts.open(batches)
            for reader in readers:
                await reader.list_page(ListQuery(1), None)
            assert accounts.rate(jobs) == accounts.rate(batches)
            assert [str(each) for each in accounts.request_rates()] == [str(jobs.account)]
            return *readers, accounts.requests(batches.account)

    one, other, requests = asyncio.run(opened())

    assert one is not other
    assert requests == 2


def account_of_type(name: str) -> ResolvedAccount:
    target = AccountResolver(revision(uses=(name,)), Operator()).of(name)
    assert isinstance(target, ResolvedAccount)
    return target
