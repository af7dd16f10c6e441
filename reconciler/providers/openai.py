"""OpenAI, and services that speak its fine-tuning dialect under a base URL of their own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from pydantic import BaseModel, Field

from reconciler.plugin import AccountConfig, Capabilities, Credentials, Document, ProviderType, Rate, Transport
from reconciler.providers._openai import Dialect, OpenAIJobs

HeaderWord = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class OpenAIOptions(Document):
    """Whose jobs are meant, for a key that may see more than one project."""

    organization: HeaderWord | None = Field(None, description="Sent as OpenAI-Organization.")
    project: HeaderWord | None = Field(None, description="Sent as OpenAI-Project.")


class OpenAIType:
    """Everything that is true of OpenAI before an account is opened."""

    name = "openai"
    options = OpenAIOptions
    id_pattern = r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
    key_variable = "OPENAI_API_KEY"
    url_variable = "OPENAI_BASE_URL"
    finds_credentials = False
    capabilities = Capabilities(
        cancel_is_immediate=True,
        can_pause=True,
        can_list_events=True,
        has_whole_rows=True,
        page_size_max=100,
        ends_on="2027-01-06: no new jobs from then on (developers.openai.com/api/docs/deprecations)",
    )
    rate = Rate()

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return organization and project, where they are given."""
        return tuple(sorted(options.model_dump(exclude_none=True).items()))

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return OpenAI's address."""
        return "https://api.openai.com/v1"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[OpenAIJobs]:
        """Open one account."""
        headers = {f"openai-{option}": value for option, value in self.scope(config.options)}
        yield OpenAIJobs(transport, credentials, Dialect(headers=headers))


OPENAI: ProviderType = OpenAIType()
