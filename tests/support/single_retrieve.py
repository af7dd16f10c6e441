"""One retrieve of a job by a provider type whose responses are canned."""

from __future__ import annotations

import asyncio

from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import Account, JobRef, ObservedJob
from reconciler.ports import AccountConfig, Response
from reconciler.providers import load
from tests.support.canned_transport import AT, CannedTransport

JOB_ID = "ftjob-1"


def retrieve_once(type_name: str, *answers: Response, **options: str) -> ObservedJob | None:
    """Open the type with a key, and return its job `ftjob-1`, or None if the responses show none."""
    type_ = load(type_name)
    account = Account(type_name, "https://provider.example")
    read = type_.options.model_validate(options)
    config = AccountConfig(account=account, options=read, state_dir=None, now=lambda: AT)
    credentials = EnvCredentials("KEY", {"KEY": "canary-key-of-a-retrieve"})

    async def main() -> ObservedJob | None:
        async with type_.open(config, CannedTransport([*answers]), credentials) as controller:
            return await controller.get_job(JobRef(account, JOB_ID))

    return asyncio.run(main())
