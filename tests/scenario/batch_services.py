"""The batches of each simulated service: how the service shows them, and the names of their accounts and statuses.

Rules: an account of a run has jobs of one kind, as in the product. The batches of the account `one` are the account
`one batches`, which has the same address, key and rate. So an oracle that identifies a job by its account and its ID
never mistakes a batch for a fine-tuning job with the same ID.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import ClassVar

from reconciler.model.account_line import BATCH_JOB, FINE_TUNING_JOB
from reconciler.model.job import Phase
from tests.contract.dialects import (
    anthropic,
    azure,
    bedrock,
    cohere,
    gemini,
    hf_jobs,
    litellm,
    mistral,
    openai,
    together,
    vertex,
    xai,
)
from tests.contract.dialects.services import (
    AZURE_V1,
    BEDROCK,
    HF_JOBS,
    LITELLM,
    NEBIUS,
    OPENAI,
    PASS_THROUGH,
    SAGEMAKER,
    VERTEX_AI,
    FrontType,
    Service,
)
from tests.contract.dialects.services import TOGETHER as TOGETHER_JOBS
from tests.contract.dialects.translating_app import Json

_SUFFIX = " batches"
_STATUS_SUFFIX = "--batchjob"
_NEVER = frozenset({Phase.PAUSING, Phase.PAUSED})
_NO_QUEUE, _NO_VALIDATION = _NEVER | {Phase.QUEUED}, _NEVER | {Phase.VALIDATING_FILES}
_ID_STARTS = {"anthropic": "msgbatch_", "cohere": "00000000-0000-4000-8000-"}
_PATH = re.compile(r"/(batches|batch/jobs|batchPredictionJobs|model-invocation-jobs?)(/|:|$)")


def batches_of(provider: str) -> str:
    """Return the account that has the batches of a Provider document. Its name is the document's with a suffix."""
    return f"{provider}{_SUFFIX}"


def provider_of(account: str) -> str:
    """Return the name of an account's Provider document."""
    return account.removesuffix(_SUFFIX)


def status_path(account: str) -> str:
    """Return the path of an account's status in the status tree, such as `_providers/one--batchjob.yaml`."""
    return f"_providers/{provider_of(account)}{_STATUS_SUFFIX if is_of_batches(account) else ''}.yaml"


def account_of(path: str) -> str:
    """Return the account whose status has this path (`status_path`)."""
    provider, suffix, _ = path.removeprefix("_providers/").removesuffix(".yaml").partition(_STATUS_SUFFIX)
    return batches_of(provider) if suffix else provider


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
    """Return the ID of a batch, in its service's format."""
    return f"{_ID_STARTS.get(service.type, '')}{number:012}"


def job_id(service: Service, name: str) -> str:
    """Return the ID of a fine-tuning job, in its service's format."""
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
        """Return the path unchanged, because the IDs in it are those of the simulated world."""
        return path

    def row(self, row: Json) -> Json:
        """Return a job in Together's format, with its ID unchanged."""
        return {**super().row(row), "id": row["id"]}


class _HuggingFace(hf_jobs.HuggingFace):
    """The jobs of Hugging Face, with the IDs of the simulated world. A job has no state while it is being cancelled."""

    hides: ClassVar[Mapping[str, str]] = {"cancelling": "running", "validating_files": "queued"}

    def job(self, row: Json) -> Json:
        """Return a job in the format of Hugging Face."""
        return {**super().job(row), "id": row["id"]}


TOGETHER = replace(TOGETHER_JOBS, front=_Together)
_HF_JOBS = replace(HF_JOBS, front=_HuggingFace)
FINE_TUNING = (
    OPENAI,
    NEBIUS,
    AZURE_V1,
    LITELLM,
    PASS_THROUGH,
    VERTEX_AI,
    BEDROCK,
    SAGEMAKER,
    TOGETHER,
    _HF_JOBS,
)
"""The services with fine-tuning jobs. Those that are also in `BATCHES` have batches too.

Fireworks is not among them: the IDs of its jobs contain a slash, which IDs of the simulated world cannot contain.
"""

_OPENAI = replace(OPENAI, front=openai.OpenAIBatches, lacks=_NO_QUEUE)
_NEBIUS = replace(NEBIUS, front=openai.OpenAIBatches, lacks=_NO_QUEUE)
_PASS_THROUGH = replace(PASS_THROUGH, front=litellm.BatchPassThrough, lacks=_NO_QUEUE)
_AZURE = replace(AZURE_V1, front=azure.AzureBatches, lacks=_NO_QUEUE)
_VERTEX_AI = replace(VERTEX_AI, front=_with_own_ids(vertex.VertexBatches), lacks=_NO_VALIDATION)
_BEDROCK = replace(BEDROCK, front=_with_own_ids(bedrock.BedrockBatches), lacks=_NO_VALIDATION)
ANTHROPIC = Service(
    type="anthropic", front=_with_own_ids(anthropic.Anthropic), lacks=_NO_QUEUE | {Phase.VALIDATING_FILES}
)
GEMINI = Service(type="gemini", front=_without_cancelling(gemini.Gemini), lacks=_NO_VALIDATION)
MISTRAL = Service(type="mistral", front=_with_own_ids(mistral.Mistral), lacks=_NO_VALIDATION)
_TOGETHER = replace(TOGETHER, front=_without_cancelling(together.TogetherBatches), lacks=_NO_QUEUE)
COHERE = Service(type="cohere", front=_with_own_ids(cohere.Cohere), lacks=_NO_VALIDATION)
XAI = Service(type="xai", front=xai.XAI, lacks=_NO_QUEUE)

WITHOUT_TIMES = frozenset({"xai"})
"""The types whose batches have no time of day, so that no limit on their age can be checked."""
WITHOUT_EXPIRY = frozenset({"cohere", "xai"})
"""The types that do not report that a batch has expired."""
BATCHES_ONLY = (ANTHROPIC, GEMINI, MISTRAL, COHERE, XAI)
"""The services that have batches and no fine-tuning jobs."""
BATCHES: Mapping[str, Service] = MappingProxyType(
    {
        each.type: each
        for each in (_OPENAI, _NEBIUS, _AZURE, _PASS_THROUGH, _VERTEX_AI, _BEDROCK, _TOGETHER, *BATCHES_ONLY)
    }
)
"""The batches of each service that has them, by its type. `lacks` contains the phases that the service cannot show."""


def words_of(service: Service) -> Mapping[str, str]:
    """Return the phase in which a service shows a batch, by the sandbox's word for the batch's status."""
    words = {
        "validating": "queued" if Phase.VALIDATING_FILES in service.lacks else "validating_files",
        "in_progress": "running",
        "completed": "succeeded",
        "expired": "failed",
    }
    return {**words, **service.front.hides}
