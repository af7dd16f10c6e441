"""One call of an adapter whose transport returns canned responses."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from reconciler.local.credentials import EnvCredentials
from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.model.job import Account, JobRef
from reconciler.ports import AccountConfig, JobController
from reconciler.providers import load
from reconciler.testing.harness_server import NOW
from tests.support.canned_transport import CannedTransport

T = TypeVar("T")


def ask(
    type_name: str,
    options: Mapping[str, Any],
    key: str,
    transport: CannedTransport,
    question: Callable[[JobController], Awaitable[T]],
    kind: str = FINE_TUNING_JOB,
) -> T:
    """Open the provider type with a transport of canned responses, make the call, and return its result."""
    type_ = load(type_name)
    read = type_.options.model_validate(options)
    account = Account(type_name, "https://canned.example", type_.scope(read), kind=kind)

    async def main() -> T:
        config = AccountConfig(account=account, options=read, state_dir=None, now=lambda: NOW)
        async with type_.open(config, transport, EnvCredentials("KEY", {"KEY": key})) as controller:
            return await question(controller)

    return asyncio.run(main())


def job(type_name: str, job_id: str, kind: str = FINE_TUNING_JOB) -> JobRef:
    """Return the reference to a job of a test account."""
    return JobRef(Account(type_name, "https://canned.example", kind=kind), job_id)
