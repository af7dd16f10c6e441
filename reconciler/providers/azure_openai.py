"""Azure OpenAI: OpenAI's API at the endpoint of each resource, on the v1 path or on the classic `api-version` path.

- Both paths lead to the same jobs, so the path is not part of the account.
- A key is sent as `api-key`. Without a key in the document or in the default variable, the machine's Microsoft Entra
  identity is used, as a Bearer token.
- A cancel takes a while (`canceling`). A cancel of a finished job is refused with `conflict` or
  `unexpectedEntityState`. The job is then retrieved again, to find out whether it has ended.

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
from reconciler.providers._openai import AZURE_STATUSES, OpenAIJobs
from reconciler.providers._openai_collection import Dialect, bearer
from reconciler.providers._openai_service import ID_PATTERN

V1 = "v1"


class AzureOptions(Document):
    """The API version of a resource."""

    api_version: Annotated[str, Field(pattern=r"^(v1|20\d\d-\d\d-\d\d(-preview)?)$")] = Field(
        V1, description="v1, or a date such as 2024-10-21 for the classic path, which cannot pause or resume jobs."
    )


class ClassicJobs(OpenAIJobs):
    """Jobs on the classic path, which cannot pause or resume them."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:  # noqa: ARG002 - the port's signature
        """Raise `PermanentError(refused)`, because the classic path has no such operation."""
        msg = "Azure can pause and resume jobs only on its v1 path: set options.apiVersion to v1"
        raise PermanentError(msg, kind=Kind.REFUSED)

    resume_job = pause_job


class AzureOpenAIType:
    """The provider type of Azure OpenAI."""

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
        """Return an empty scope, because the base URL already identifies the resource."""
        return ()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id unchanged, because a job has only one."""
        return job_id

    def own_url(self, options: BaseModel) -> None:  # noqa: ARG002 - the port's signature
        """Return None, because each resource has its own address."""
        return

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAIJobs]:
        """Open one account. Raises `PermanentError(missing)` if the document names a credential that is missing."""
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
    """Return the header for a key, or for an Entra token that was given as the key (a JWT has three parts)."""
    is_token = secret.startswith("ey") and secret.count(".") == 2  # noqa: PLR2004
    return bearer(secret) if is_token else {"api-key": secret}


AZURE_OPENAI: ProviderType = AzureOpenAIType()
