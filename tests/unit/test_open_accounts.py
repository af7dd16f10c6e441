"""How the accounts of a run are opened and closed."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from reconciler.errors import Delivered, TransientError
from reconciler.model.job import JobRef
from reconciler.wiring.open_accounts import OpenAccounts
from tests.support.build import ACCOUNT, NOW
from tests.support.in_memory_accounts import a_target


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
