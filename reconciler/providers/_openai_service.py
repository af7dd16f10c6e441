"""The provider types of OpenAI-compatible services, each described by one record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    AccountConfig,
    Capabilities,
    Credentials,
    JobsOfKind,
    Rate,
    Transport,
)
from reconciler.providers._no_options import NoOptions
from reconciler.providers._openai import OPENAI_JOBS, OpenAIJobs
from reconciler.providers._openai_batches import BATCH_ID_PATTERN, BATCHES, CAPABILITIES, OpenAIBatches
from reconciler.providers._openai_collection import Dialect, OpenAICollection

ID_PATTERN = r"(?!batch_)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
"""Matches the ids of fine-tuning jobs at OpenAI and compatible services, but not the ids of OpenAI's batches."""


def plain(_: BaseModel) -> Dialect:
    """Return OpenAI's own dialect for fine-tuning jobs."""
    return OPENAI_JOBS


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchService:
    """The batches of a service: their dialect, capabilities and ids."""

    dialect: Callable[[Any], Dialect] = lambda _: BATCHES
    """The function that returns the dialect of batches for the options of an account."""
    capabilities: Capabilities = CAPABILITIES
    id_pattern: str = BATCH_ID_PATTERN


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIService:
    """A `ProviderType`. Its options select the jobs of an account, so all of them identify the account.

    `address` is the base URL of the service, or None if each deployment has its own. `capabilities` and `id_pattern`
    are those of its fine-tuning jobs.
    """

    name: str
    key_variable: str
    url_variables: tuple[str, ...]
    address: str | None
    capabilities: Capabilities
    options: type[BaseModel] = NoOptions
    dialect: Callable[[Any], Dialect] = plain
    """The function that returns the dialect of fine-tuning jobs for the options of an account."""
    batches: BatchService | None = None
    """The batches of the service, or None if it has none."""
    id_pattern: str = ID_PATTERN
    option_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_whole_key: bool = True
    finds_credentials: bool = False
    rate: Rate = field(default_factory=Rate)

    @property
    def kinds(self) -> Mapping[str, JobsOfKind]:
        """Return the kinds of job that the service has, by the name of the kind."""
        jobs = JobsOfKind(id_pattern=self.id_pattern, capabilities=self.capabilities)
        if self.batches is None:
            return {FINE_TUNING_JOB: jobs}
        batches = JobsOfKind(id_pattern=self.batches.id_pattern, capabilities=self.batches.capabilities)
        return {FINE_TUNING_JOB: jobs, BATCH_JOB: batches}

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the options that are set, sorted by name."""
        return tuple(sorted(options.model_dump(exclude_none=True).items()))

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id unchanged, because a job has only one id."""
        return job_id

    def own_url(self, options: BaseModel) -> str | None:  # noqa: ARG002 - the port's signature
        """Return the address of the service; None if each deployment has its own."""
        return self.address

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAICollection]:
        """Yield the adapter for the jobs of the kind `config.account.kind`."""
        if self.batches is not None and config.account.kind == BATCH_JOB:
            yield OpenAIBatches(transport, credentials, self.batches.dialect(config.options))
        else:
            yield OpenAIJobs(transport, credentials, self.dialect(config.options))
