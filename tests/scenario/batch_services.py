"""The batches of each simulated service: how it shows them, and which names belong to them.

Rules: an account of a run has jobs of one kind, as in the product. The batches of the account `one` are the account
`one batches`, which has the same address, key and rate. So an oracle that identifies a job by its account and its ID
never mistakes a batch for a fine-tuning job with the same ID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.job import Phase
from tests.contract.dialects import anthropic, azure, bedrock, gemini, mistral, openai, together, vertex
from tests.contract.dialects.services import (
    AZURE_V1,
    BEDROCK,
    LITELLM,
    OPENAI,
    SAGEMAKER,
    VERTEX_AI,
    FrontType,
    Service,
)
from tests.contract.dialects.services import TOGETHER as TOGETHER_JOBS
from tests.contract.dialects.translating_app import Json

_SUFFIX = " batches"
_NEVER = frozenset({Phase.PAUSING, Phase.PAUSED})
_NO_QUEUE, _NO_VALIDATION = _NEVER | {Phase.QUEUED}, _NEVER | {Phase.VALIDATING_FILES}
_PATH = re.compile(r"/(batches|batch/jobs|batchPredictionJobs|model-invocation-jobs?)(/|:|$)")


def batches_of(provider: str) -> str:
    """Return the account with the batches of a Provider document."""
    return f"{provider}{_SUFFIX}"


def provider_of(account: str) -> str:
    """Return the name of an account's Provider document."""
    return account.removesuffix(_SUFFIX)


def is_of_batches(account: str) -> bool:
    """Return whether the jobs of an account are batches."""
    return account.endswith(_SUFFIX)


def kind_of(account: str) -> str:
    """Return the kind of an account's jobs."""
    return BATCH_JOB if is_of_batches(account) else FINE_TUNING_JOB


def is_about_batches(path: str) -> bool:
    """Return whether a request with this path is about batches, at any service."""
    return _PATH.search(path) is not None


def batch_id(service: Service, number: int) -> str:
    """Return the ID of a batch, in a format that its service has."""
    return f"msgbatch_{number:012}" if service.type == "anthropic" else f"{number:012}"


def job_id(service: Service, name: str) -> str:
    """Return the ID of a fine-tuning job, in a format that its service has."""
    return f"ft-{name}" if service.type == "together" else f"ftjob-{name}"


def can_share_ids(service: Service) -> bool:
    """Return whether a fine-tuning job and a batch of a service can have the same ID."""
    return service.type != "together"


def _with_own_ids(front: FrontType) -> FrontType:
    """Return a front whose IDs are those of the simulated world."""
    own = {"inner_id": lambda _, job_id: job_id, "outer_id": lambda _, job_id: job_id}
    return type(front.__name__, (front,), own)


def _without_cancelling(front: FrontType) -> FrontType:
    """Return a front that shows a batch as running until its cancel has taken effect."""
    return type(front.__name__, (_with_own_ids(front),), {"hides": {"cancelling": "running"}})


class _Together(together.Together):
    """Together's fine-tuning jobs, with the IDs of the simulated world."""

    def inner_path(self, path: str) -> str:
        """Return the same path."""
        return path

    def row(self, row: Json) -> Json:
        """Return a job as a list shows it."""
        return {**super().row(row), "id": row["id"]}


TOGETHER = replace(TOGETHER_JOBS, front=_Together)
FINE_TUNING = (OPENAI, AZURE_V1, LITELLM, VERTEX_AI, BEDROCK, SAGEMAKER, TOGETHER)
"""The services with fine-tuning jobs. Five of them have batches too."""

_OPENAI = replace(OPENAI, front=openai.OpenAIBatches, lacks=_NO_QUEUE)
_AZURE = replace(AZURE_V1, front=azure.AzureBatches, lacks=_NO_QUEUE)
_VERTEX_AI = replace(VERTEX_AI, front=_with_own_ids(vertex.VertexBatches), lacks=_NO_VALIDATION)
_BEDROCK = replace(BEDROCK, front=_with_own_ids(bedrock.BedrockBatches), lacks=_NO_VALIDATION)
ANTHROPIC = Service(
    type="anthropic", front=_with_own_ids(anthropic.Anthropic), lacks=_NO_QUEUE | {Phase.VALIDATING_FILES}
)
GEMINI = Service(type="gemini", front=_without_cancelling(gemini.Gemini), lacks=_NO_VALIDATION)
MISTRAL = Service(type="mistral", front=_with_own_ids(mistral.Mistral), lacks=_NO_VALIDATION)
_TOGETHER = replace(TOGETHER, front=_without_cancelling(together.TogetherBatches), lacks=_NO_QUEUE)

BATCHES_ONLY = (ANTHROPIC, GEMINI, MISTRAL)
"""The services that have batches and no fine-tuning jobs."""
BATCHES: Mapping[str, Service] = MappingProxyType(
    {each.type: each for each in (_OPENAI, _AZURE, _VERTEX_AI, _BEDROCK, _TOGETHER, *BATCHES_ONLY)}
)
"""The batches of each service that has them, by its type. `lacks` contains the phases that it cannot show."""


def words_of(service: Service) -> Mapping[str, str]:
    """Return the phase that a reader of a service's batch learns, by the word of the sandbox for its status."""
    words = {
        "validating": "queued" if Phase.VALIDATING_FILES in service.lacks else "validating_files",
        "in_progress": "running",
        "completed": "succeeded",
        "expired": "failed",
    }
    return {**words, **service.front.hides}
