"""The LiteLLM proxy, as two provider types: its own fine-tuning routes, and its pass-through to OpenAI.

Its own routes:

- need an Enterprise licence;
- read the upstream from the query, and for a cancel from the JSON body; by default they use OpenAI;
- report a job as cancelled while it is still being cancelled, so only an end time confirms a cancel;
- report a configuration error as HTTP 500, and a wrong key as HTTP 400;
- return no events, because the route that retrieves a job also matches the path of its events;
- respond to a pause with HTTP 405.

The pass-through needs no licence, and forwards requests and responses unchanged. If OPENAI_API_BASE is set for the
proxy, its value must not end in `/v1`. Batches are reached only by the pass-through, as `/openai_passthrough`, because
LiteLLM's own routes for batches report an upstream's partial or cancelled batch as completed.

Sources: litellm 1.109.1 `proxy/fine_tuning_endpoints/endpoints.py`, `llms/{openai,azure}/fine_tuning/handler.py`,
`llms/litellm_proxy/`; the responses were recorded from litellm 1.106.2.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from reconciler.plugin import Capabilities, Document, Kind, ProviderType
from reconciler.providers._openai import AZURE_STATUSES, OPENAI_JOBS
from reconciler.providers._openai_batches import BATCHES
from reconciler.providers._openai_collection import Dialect
from reconciler.providers._openai_errors import ErrorPattern
from reconciler.providers._openai_service import BatchService, OpenAIService

KEY_VARIABLE = "LITELLM_PROXY_API_KEY"
URL_VARIABLE = "LITELLM_PROXY_API_BASE"
LONG_ID_PATTERN = r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:=-]{0,511}"
"""Matches the ids of an upstream, and LiteLLM's managed ids: base64 of a model's id and the upstream's job id (litellm
`types/utils.py`)."""

WRONG_KEY = ErrorPattern(
    status=400,
    message_part="No connected db",
    kind=Kind.DENIED,
    meaning="the LiteLLM proxy does not accept this key: it has no database, so it accepts only its master key",
)
NO_LICENCE = ErrorPattern(
    status=500,
    message_part="Only premium users",
    kind=Kind.REFUSED,
    meaning=(
        "LiteLLM's own fine-tuning routes need an Enterprise licence, which this proxy does not have: use its "
        "pass-through, with the provider type litellm-passthrough"
    ),
)
NO_SETTINGS = ErrorPattern(
    status=500,
    message_part="fine_tuning_config is not set",
    kind=Kind.REFUSED,
    meaning="the configuration of the LiteLLM proxy does not contain finetune_settings: add the upstream to it",
)
UNSHOWABLE = ErrorPattern(
    status=500,
    message_part="validation error for LiteLLMFineTuningJob",
    kind=Kind.INVALID,
    meaning=(
        "LiteLLM cannot show this job, for example because it is paused: use its pass-through, with the provider type "
        "litellm-passthrough"
    ),
)


class LiteLLMOptions(Document):
    """The provider to which the proxy forwards requests. The `finetune_settings` of the proxy must contain it."""

    custom_llm_provider: Literal["openai", "azure"] = Field(
        "openai", description="The provider to which the proxy forwards requests, as in its finetune_settings."
    )


def _native(options: LiteLLMOptions) -> Dialect:
    upstream = options.model_dump()
    return replace(
        OPENAI_JOBS,
        jobs_path="/v1/fine_tuning/jobs",
        statuses=AZURE_STATUSES,  # LiteLLM translates an Azure upstream's status words for one job, but not in a list
        query=upstream,
        change_body=upstream,
        error_patterns=(WRONG_KEY, NO_LICENCE, NO_SETTINGS, UNSHOWABLE),
    )


def _pass_through(_: Document) -> Dialect:
    return replace(OPENAI_JOBS, jobs_path="/openai/v1/fine_tuning/jobs", error_patterns=(WRONG_KEY,))


def _batches(_: Document) -> Dialect:
    # `/openai/v1/batches` leads to LiteLLM's own route for batches, which hides some of the upstream's status words.
    return replace(BATCHES, jobs_path="/openai_passthrough/v1/batches", error_patterns=(WRONG_KEY,))


LITELLM: ProviderType = OpenAIService(
    name="litellm",
    key_variable=KEY_VARIABLE,
    url_variables=(URL_VARIABLE,),
    id_pattern=LONG_ID_PATTERN,
    address=None,
    options=LiteLLMOptions,
    dialect=_native,
    capabilities=Capabilities(confirms=False),
)

LITELLM_PASSTHROUGH: ProviderType = OpenAIService(
    name="litellm-passthrough",
    key_variable=KEY_VARIABLE,
    url_variables=(URL_VARIABLE,),
    id_pattern=LONG_ID_PATTERN,
    address=None,
    dialect=_pass_through,
    batches=BatchService(dialect=_batches),
    capabilities=Capabilities(
        cancel_is_immediate=True,
        can_pause=True,
        can_list_events=True,
        can_list_checkpoints=True,
        has_whole_rows=True,
        page_size_max=100,
        filters=("metadata",),
    ),
)
