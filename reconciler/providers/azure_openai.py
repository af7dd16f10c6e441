"""Azure OpenAI: the dialect below each resource's own endpoint, by the v1 path or the classic `api-version` one.

Rules: both paths show the same jobs, so which is taken is no part of the account. A key goes as `api-key`; without one
in the spec or the usual variable, the machine's Microsoft Entra identity is used, as a Bearer token. A cancel takes a
while (`canceling`); of a finished job it is refused, as `conflict` or `unexpectedEntityState`, so another look decides.

Sources: Azure/azure-rest-api-specs `AzureOpenAI/authoring/stable/2024-10-21/azureopenai.json` and `OpenAI.v1`;
openai-python 3.54.0 `lib/azure.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, Field

from reconciler.plugin import (
    Accepted,
    AccountConfig,
    AlreadyOver,
    Capabilities,
    Credentials,
    Document,
    JobRef,
    Kind,
    PermanentError,
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

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:  # noqa: ARG002 - the port's signature
        """Refuse."""
        msg = "Azure pauses and resumes jobs by its v1 path only: set options.apiVersion to v1"
        raise PermanentError(msg, kind=Kind.REFUSED)

    resume_job = pause_job


class AzureOpenAIType:
    """Everything that is true of Azure OpenAI before an account is opened."""

    name = "azure-openai"
    options = AzureOptions
    id_pattern = ID_PATTERN
    key_variable = "AZURE_OPENAI_API_KEY"
    has_whole_key = True
    url_variables = ("AZURE_OPENAI_ENDPOINT",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
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
        """Open one account. Raises `PermanentError(missing)` where the credential that the spec names is not there."""
        version = AzureOptions.model_validate(config.options).api_version
        has_key = bool(await credentials.token())
        dialect = Dialect(
            jobs_path="/openai/v1/fine_tuning/jobs" if version == V1 else "/openai/fine_tuning/jobs",
            query={} if version == V1 else {"api-version": version},
            statuses=AZURE_STATUSES,
            authorise=_key_or_token if has_key else bearer,
        )
        jobs = OpenAIJobs if version == V1 else ClassicJobs
        yield jobs(
            transport, credentials if has_key else EntraCredentials(config.now, config.account.base_url), dialect
        )


def _key_or_token(secret: str) -> Mapping[str, str]:
    """Return the header for a key, or for a token of Entra's that somebody has fetched (three parts, as RFC 7519)."""
    is_token = secret.startswith("ey") and secret.count(".") == 2  # noqa: PLR2004
    return bearer(secret) if is_token else {"api-key": secret}


AZURE_OPENAI: ProviderType = AzureOpenAIType()
