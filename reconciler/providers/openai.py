"""OpenAI, and compatible services with a fixed address.

Each service has a provider type of its own, so that the key in its variable is sent only to its host. For any other
compatible service, use `openai` with a `baseUrl`, and a credential that the operator has bound to that host. This works
for batches too, if the service uses OpenAI's status words, as Groq and DeepInfra do.

Sources: openai/openai-openapi `openapi.yaml` (2.3.0); docs.tokenfactory.nebius.com/post-training/how-to-fine-tune, and
its page on batch inference; groq 1.7.0 `resources/batches.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated

from pydantic import Field

from reconciler.plugin import Capabilities, Document, ProviderType
from reconciler.providers._openai import OPENAI_JOBS
from reconciler.providers._openai_batches import BATCHES, CAPABILITIES
from reconciler.providers._openai_service import BatchService, OpenAIService
from reconciler.providers._retirements import OPENAI_FINE_TUNING

HeaderWord = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]


class OpenAIOptions(Document):
    """The organization and project of the jobs, for a key that has access to several of them."""

    organization: HeaderWord | None = Field(
        None, description="Organization ID, sent in the header OpenAI-Organization."
    )
    project: HeaderWord | None = Field(None, description="Project ID, sent in the header OpenAI-Project.")


def _headers(options: OpenAIOptions) -> Mapping[str, str]:
    values = options.model_dump(exclude_none=True)
    return {f"openai-{option}": value for option, value in values.items()}


OPENAI: ProviderType = OpenAIService(
    name="openai",
    key_variable="OPENAI_API_KEY",
    url_variables=("OPENAI_BASE_URL",),
    option_variables={"organization": ("OPENAI_ORG_ID",), "project": ("OPENAI_PROJECT_ID",)},
    address="https://api.openai.com/v1",
    options=OpenAIOptions,
    dialect=lambda options: replace(OPENAI_JOBS, headers=_headers(options)),
    batches=BatchService(
        dialect=lambda options: replace(BATCHES, headers=_headers(options)),
        capabilities=replace(CAPABILITIES, can_list_model_ends=True),
    ),
    capabilities=Capabilities(
        cancel_is_immediate=True,
        can_pause=True,
        can_list_events=True,
        can_list_checkpoints=True,
        has_whole_rows=True,
        page_size_max=100,
        filters=("metadata",),
        retirements=OPENAI_FINE_TUNING,
        can_list_model_ends=True,
    ),
)

NEBIUS: ProviderType = OpenAIService(
    name="nebius",
    key_variable="NEBIUS_API_KEY",
    url_variables=(),
    address="https://api.tokenfactory.nebius.com/v1",
    # Nebius documents how to list and retrieve jobs, list checkpoints, and list and cancel batches. Not confirmed: its
    # paging, the cancel of a job, and what a cancelled batch keeps and costs.
    capabilities=Capabilities(can_list_checkpoints=True),
    batches=BatchService(capabilities=Capabilities()),
)
"""Nebius Token Factory."""
