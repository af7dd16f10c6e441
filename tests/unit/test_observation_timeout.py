"""The timeout of an observation: a silent account fails, and a slow one that still responds does not."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from reconciler.controller.observation_timeout import BoundedAccounts, Bounds
from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.model.job import Account, JobRef, ListQuery
from reconciler.model.report import ExpiredClock
from reconciler.plugin import BATCH_JOB
from reconciler.ports import JobReader
from tests.support.build import ACCOUNT, a_job
from tests.support.clock import VirtualClock, in_virtual_time
from tests.support.in_memory import OpenAccounts
from tests.support.in_memory_accounts import InMemoryAccount, a_target, an_account
from tests.support.subjects import REF


def now() -> float:
    return asyncio.get_running_loop().time()


async def opened(account: InMemoryAccount, **bounds: Any) -> JobReader:
    """Open an account that may be silent for ten seconds."""
    usual = {"silence_s": 10.0}
    limits = Bounds(VirtualClock(), **usual | bounds)
    return await BoundedAccounts(OpenAccounts({ACCOUNT: account}), limits).open(a_target())


def test_an_account_that_responds_in_time_is_observed_as_without_a_timeout() -> None:
    async def main() -> None:
        account = an_account()
        account.takes_s = {"ftjob-abc123": 9.0, "page 1": 9.0}
        reader = await opened(account)

        assert await reader.get_job(REF) == a_job()
        assert (await reader.list_page(ListQuery(20), None)).jobs == (a_job(),)
        assert now() == pytest.approx(18.0)

    in_virtual_time(main)


@pytest.mark.parametrize("question", ["get", "list"])
def test_an_observation_fails_once_the_account_was_silent_for_too_long(question: str) -> None:
    async def main() -> None:
        account = an_account()
        account.takes_s = {"ftjob-abc123": 11.0, "page 1": 11.0}
        reader = await opened(account)
        with pytest.raises(TransientError, match=r"^no response within 10 s$") as raised:
            await (reader.get_job(REF) if question == "get" else reader.list_page(ListQuery(20), None))

        assert raised.value.delivered is Delivered.NO
        assert now() == pytest.approx(10.0)
        await asyncio.sleep(60.0)
        assert account.asked == []  # the abandoned request was cancelled

    in_virtual_time(main)


def test_each_response_of_an_account_extends_the_timeout() -> None:
    async def main() -> None:
        ids = [f"ftjob-{number}" for number in range(4)]
        account = an_account(*ids)
        account.takes_s = {id_: 6.0 * (number + 1) for number, id_ in enumerate(ids)}
        reader = await opened(account)
        found = await asyncio.gather(*(reader.get_job(JobRef(ACCOUNT, id_)) for id_ in ids))

        assert [each.id for each in found if each] == ids
        assert now() == pytest.approx(24.0)

    in_virtual_time(main)


def test_a_response_of_another_account_does_not_extend_the_timeout() -> None:
    async def main() -> None:
        bounds = Bounds(VirtualClock(), 10.0)
        other = Account("openai", "https://other.example.org")

        async def answer_at(seconds: float) -> float:
            await asyncio.sleep(seconds)
            return seconds

        slow = asyncio.ensure_future(bounds.within(ACCOUNT, answer_at(15.0)))
        await bounds.within(other, answer_at(8.0))
        with pytest.raises(TransientError):
            await slow

    in_virtual_time(main)


def test_a_response_about_another_kind_of_job_extends_the_timeout() -> None:
    async def main() -> None:
        bounds = Bounds(VirtualClock(), 10.0)
        slow = asyncio.ensure_future(bounds.within(ACCOUNT, asyncio.sleep(15.0, "found")))
        await bounds.within(ACCOUNT.of_kind(BATCH_JOB), asyncio.sleep(8.0))

        assert await slow == "found"

    in_virtual_time(main)


def test_an_observation_ends_when_the_time_of_the_run_expires() -> None:
    async def main() -> None:
        account = an_account()
        account.takes_s = {"ftjob-abc123": 60.0}
        reader = await opened(account, until=4.0, cut_by=ExpiredClock.WAIT)
        with pytest.raises(TransientError, match=r"^no response within 4 s, then --wait expired$"):
            await reader.get_job(REF)

        assert now() == pytest.approx(4.0)

    in_virtual_time(main)


def test_a_provider_error_is_raised_unchanged() -> None:
    async def main() -> None:
        account, error = an_account(), PermanentError("403", kind=Kind.FORBIDDEN)
        account.broken["ftjob-abc123"] = error
        reader = await opened(account)
        with pytest.raises(PermanentError) as raised:
            await reader.get_job(REF)
        assert raised.value is error

    in_virtual_time(main)


class Sleepy(OpenAccounts):
    """Accounts that take a minute to open."""

    async def open(self, target: Any) -> JobReader:
        """Open it after a minute."""
        await asyncio.sleep(60.0)
        return await super().open(target)


def test_an_account_that_takes_too_long_to_open_fails_with_a_timeout() -> None:
    async def main() -> None:
        accounts = BoundedAccounts(Sleepy({ACCOUNT: an_account()}), Bounds(VirtualClock(), 10.0))
        with pytest.raises(TransientError, match="no response within 10 s"):
            await accounts.open(a_target())

    in_virtual_time(main)


def test_cancelling_an_observation_cancels_its_request() -> None:
    async def main() -> None:
        account = an_account()
        account.takes_s = {"ftjob-abc123": 5.0}
        task = asyncio.ensure_future((await opened(account)).get_job(REF))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(60.0)
        assert account.asked == []

    in_virtual_time(main)


def test_bounded_accounts_report_the_request_count_of_the_wrapped_accounts() -> None:
    accounts = OpenAccounts({ACCOUNT: an_account()})
    asyncio.run(accounts.open(a_target()))

    assert BoundedAccounts(accounts, Bounds(VirtualClock(), 10.0)).requests(ACCOUNT) == 1
