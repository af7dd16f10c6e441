"""A service that speaks the OpenAI dialect, as data: what is true of it before an account is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import AccountConfig, Capabilities, Credentials, Document, Rate, Transport
from reconciler.providers._openai import Dialect, OpenAIJobs

ID_PATTERN = r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"


class NoOptions(Document):
    """Nothing is to be chosen."""


def plain(_: BaseModel) -> Dialect:
    """Return the dialect as OpenAI speaks it."""
    return Dialect()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAIService:
    """A `ProviderType` whose options all say whose jobs are meant, and so are part of the account."""

    name: str
    key_variable: str
    url_variables: tuple[str, ...]
    address: str | None
    capabilities: Capabilities
    options: type[BaseModel] = NoOptions
    dialect: Callable[[Any], Dialect] = plain
    """How it is spoken to, given the options."""
    id_pattern: str = ID_PATTERN
    option_variables: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    has_whole_key: bool = True
    finds_credentials: bool = False
    rate: Rate = field(default_factory=Rate)

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the options that are given."""
        return tuple(sorted(options.model_dump(exclude_none=True).items()))

    def canonical_id(self, job_id: str, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the id: a job has one."""
        return job_id

    def own_url(self, options: BaseModel) -> str | None:  # noqa: ARG002 - the port's signature
        """Return the service's address."""
        return self.address

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAIJobs]:
        """Open one account."""
        yield OpenAIJobs(transport, credentials, self.dialect(config.options))
