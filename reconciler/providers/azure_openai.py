"""Azure OpenAI: the dialect below each resource's own endpoint, by the v1 path or the classic `api-version` one.

Rules: both paths show the same jobs, so which is taken is no part of the account. A key goes as `api-key`; where a spec
names none, the machine's Microsoft Entra identity is used, as a Bearer token. A cancel takes a while (`canceling`); of
a finished job it is refused, as `conflict` or `unexpectedEntityState`, so another look decides.

Sources: Azure/azure-rest-api-specs `AzureOpenAI/authoring/stable/2024-10-21/azureopenai.json` and `OpenAI.v1`;
openai-python 3.54.0 `lib/azure.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field

from reconciler.plugin import (
    AccountConfig,
    Capabilities,
    Credentials,
    Document,
    JobRef,
    Kind,
    ObservedJob,
    Permanent,
    ProviderType,
    Rate,
    Transport,
)
from reconciler.providers._entra import EntraCredentials
from reconciler.providers._openai import AZURE_STATUSES, Dialect, OpenAIJobs, bearer
from reconciler.providers._openai_service import ID_PATTERN

V1 = "v1"


class AzureOptions(Document):
    """Which way the resource is asked."""

    api_version: Annotated[str, Field(pattern=r"^(v1|20\d\d-\d\d-\d\d(-preview)?)$")] = Field(
        V1, description="v1, or a date such as 2024-10-21 for the classic path, which can neither pause nor resume."
    )


class ClassicJobs(OpenAIJobs):
    """The classic path, which has no pause."""

    async def pause_job(self, ref: JobRef) -> ObservedJob:  # noqa: ARG002 - the port's signature
        """Refuse."""
        msg = "Azure pauses and resumes jobs by its v1 path only: set options.apiVersion to v1"
        raise Permanent(msg, kind=Kind.REFUSED)

    resume_job = pause_job


class AzureOpenAIType:
    """Everything that is true of Azure OpenAI before an account is opened."""

    name = "azure-openai"
    options = AzureOptions
    id_pattern = ID_PATTERN
    key_variable = "AZURE_OPENAI_API_KEY"
    url_variable = "AZURE_OPENAI_ENDPOINT"
    finds_credentials = True
    capabilities = Capabilities(can_pause=True, can_list_events=True, can_list_checkpoints=True)
    rate = Rate()

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the port's signature
        """Return nothing: the resource is in the address."""
        return ()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id: a job has one."""
        return job_id

    def own_url(self, options: BaseModel) -> None:  # noqa: ARG002 - the port's signature
        """Return none: each resource has its own."""
        return

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAIJobs]:
        """Open one account. Raises `Permanent(missing)` where the credential that the spec names is not there."""
        version = AzureOptions.model_validate(config.options).api_version
        has_key = bool(await credentials.token())
        dialect = Dialect(
            jobs_path="/openai/v1/fine_tuning/jobs" if version == V1 else "/openai/fine_tuning/jobs",
            query={} if version == V1 else {"api-version": version},
            statuses=AZURE_STATUSES,
            authorise=_api_key if has_key else bearer,
        )
        jobs = OpenAIJobs if version == V1 else ClassicJobs
        yield jobs(transport, credentials if has_key else EntraCredentials(config.now), dialect)


def _api_key(key: str) -> Mapping[str, str]:
    return {"api-key": key}


AZURE_OPENAI: ProviderType = AzureOpenAIType()
