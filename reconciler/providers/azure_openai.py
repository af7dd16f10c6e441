"""Azure OpenAI: OpenAI's API at the endpoint of each resource, on the v1 path or on the classic `api-version` path.

- Both paths lead to the same jobs, so the path is not part of the account.
- A key is sent as `api-key`. Without a key in the document or in the default variable, the machine's Microsoft Entra
  identity is used, as a Bearer token.
- A cancel takes a while (`canceling`). A cancel of a finished job is refused with `conflict` or
  `unexpectedEntityState`. The job is then retrieved again, to find out whether it has ended.
- Batches have OpenAI's status words and fields on both paths. It is not confirmed how the service responds to a cancel
  of a finished batch.

Sources: Azure/azure-rest-api-specs `AzureOpenAI/authoring/stable/2024-10-21/azureopenai.json` and `OpenAI.v1`;
openai-python 3.54.0 `lib/azure.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated

from pydantic import BaseModel, Field

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    Accepted,
    AccountConfig,
    AlreadyOver,
    Capabilities,
    Credentials,
    Document,
    JobRef,
    JobsOfKind,
    Kind,
    PermanentError,
    Phase,
    ProviderType,
    Rate,
    Transport,
)
from reconciler.providers._entra import EntraCredentials
from reconciler.providers._json_api import bearer
from reconciler.providers._openai import AZURE_STATUSES, OPENAI_JOBS, OpenAIJobs
from reconciler.providers._openai_batches import BATCH_ID_PATTERN, BATCHES, CAPABILITIES, STATUSES, OpenAIBatches
from reconciler.providers._openai_collection import OpenAICollection
from reconciler.providers._openai_service import ID_PATTERN

V1 = "v1"
BATCH_STATUSES: Mapping[str, Phase] = {**STATUSES, "canceling": Phase.CANCELLING, "canceled": Phase.CANCELLED}
"""OpenAI's status words for batches, and the spelling of two of them that Azure uses for fine-tuning jobs."""


class AzureOptions(Document):
    """The API version of a resource."""

    api_version: Annotated[str, Field(pattern=r"^(v1|20\d\d-\d\d-\d\d(-preview)?)$")] = Field(
        V1, description="v1, or a date such as 2024-10-21 for the classic path, which cannot pause or resume jobs."
    )


class ClassicJobs(OpenAIJobs):
    """The fine-tuning jobs on the classic path, which has no operation to pause or resume a job."""

    async def pause_job(self, ref: JobRef) -> Accepted | AlreadyOver:  # noqa: ARG002 - the port's signature
        """Raise `PermanentError(refused)`, because the classic path has no such operation."""
        msg = "Azure can pause and resume jobs only on its v1 path: set options.apiVersion to v1"
        raise PermanentError(msg, kind=Kind.REFUSED)

    resume_job = pause_job


class AzureOpenAIType:
    """The provider type `azure-openai`: the fine-tuning jobs and the batches of one resource."""

    name = "azure-openai"
    options = AzureOptions
    id_pattern = ID_PATTERN
    key_variable = "AZURE_OPENAI_API_KEY"
    has_whole_key = True
    url_variables = ("AZURE_OPENAI_ENDPOINT",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    finds_credentials = True
    capabilities = Capabilities(can_pause=True, can_list_events=True, can_list_checkpoints=True)
    kinds: Mapping[str, JobsOfKind] = MappingProxyType(
        {
            FINE_TUNING_JOB: JobsOfKind(id_pattern=id_pattern, capabilities=capabilities),
            BATCH_JOB: JobsOfKind(
                id_pattern=BATCH_ID_PATTERN, capabilities=replace(CAPABILITIES, has_whole_rows=False)
            ),
        }
    )
    rate = Rate()

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:  # noqa: ARG002 - the port's signature
        """Return an empty scope, because the base URL already identifies the resource."""
        return ()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id unchanged, because a job has only one id."""
        return job_id

    def own_url(self, options: BaseModel) -> None:  # noqa: ARG002 - the port's signature
        """Return None, because each resource has its own address."""
        return

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAICollection]:
        """Yield the adapter for the jobs of the kind `config.account.kind`.

        Raises the errors of `Credentials.token`.
        """
        version = AzureOptions.model_validate(config.options).api_version
        has_key = bool(await credentials.token())
        jobs_type: type[OpenAICollection] = OpenAIJobs if version == V1 else ClassicJobs
        dialect = replace(OPENAI_JOBS, statuses=AZURE_STATUSES)
        if config.account.kind == BATCH_JOB:
            jobs_type, dialect = OpenAIBatches, replace(BATCHES, statuses=BATCH_STATUSES)
        yield jobs_type(
            transport,
            credentials if has_key else EntraCredentials(config.now, config.account.base_url),
            replace(
                dialect,
                jobs_path=("/openai/v1" if version == V1 else "/openai") + dialect.jobs_path,
                query={} if version == V1 else {"api-version": version},
                authorise=_key_or_token if has_key else bearer,
            ),
        )


def _key_or_token(secret: str) -> Mapping[str, str]:
    """Return the header for a key, or for an Entra token that was given as the key (a JWT has three parts)."""
    is_token = secret.startswith("ey") and secret.count(".") == 2  # noqa: PLR2004
    return bearer(secret) if is_token else {"api-key": secret}


AZURE_OPENAI: ProviderType = AzureOpenAIType()
