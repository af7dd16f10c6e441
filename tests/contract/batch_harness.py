"""A service's batches: those of the sandbox behind the service's own dialect, served on a socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from reconciler.model.job import JobRef, Phase
from reconciler.plugin import BATCH_JOB
from reconciler.ports import jobs_by_kind
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld
from reconciler.testing import Fault
from reconciler.testing.harness_server import NOW
from tests.contract.dialects import (
    anthropic,
    azure,
    bedrock,
    cohere,
    gemini,
    litellm,
    mistral,
    openai,
    together,
    vertex,
    xai,
)
from tests.contract.dialects.batch_api import batch_uuid
from tests.contract.dialects.services import NO_PAGES, Service
from tests.contract.harnesses import SandboxHarness, Served, ServedHarness

PHASES = (Phase.QUEUED, Phase.VALIDATING_FILES, Phase.RUNNING, Phase.SUCCEEDED, Phase.FAILED, Phase.CANCELLED)
SLOWLY = {"cancelTakes": "10m"}


def _as_in_the_sandbox(phase: Phase) -> str:
    return f"batch_{phase}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchService(Service):
    """A provider type with batches, with the properties of its test account."""

    world: Mapping[str, Any] = field(default_factory=lambda: SLOWLY)

    def id_of(self, phase: Phase) -> str:
        """Return the id of the batch in a phase."""
        return self.job_id(_as_in_the_sandbox(phase))


def batch_world(service: BatchService) -> BatchWorld:
    """Return the batches behind a service, without those that it cannot show."""
    batches = [_declared(phase) for phase in PHASES if phase not in service.lacks]
    return BatchWorld(SandboxOptions.model_validate({"batches": batches, **service.world}), NOW)


def _declared(phase: Phase) -> Mapping[str, Any]:
    """Return a batch that is named after the phase that it is in."""
    life = [{"phase": "running", "for": "1h"}, {"phase": phase.value}]
    return {"id": _as_in_the_sandbox(phase), "age": "2h", "failedRequests": 2, "life": life}


class BatchHarness(ServedHarness):
    """The batches of a service, on a real socket."""

    def __init__(self, served: Served, service: BatchService) -> None:
        super().__init__(served, service, kind=BATCH_JOB, world=batch_world(service))
        self.capabilities = jobs_by_kind(self.type)[BATCH_JOB].capabilities
        self.job_ids = frozenset(service.id_of(phase) for phase in PHASES if phase not in service.lacks)

    def id_of(self, phase: Phase) -> str:
        """Return the service's id of the batch that is named after its phase."""
        return self._service.job_id(_as_in_the_sandbox(phase))


class SandboxBatchHarness(SandboxHarness):
    """The batches of `sandbox`. OpenAI's words do not distinguish a queued batch from one that is being validated."""

    kind = BATCH_JOB
    phases = tuple(phase for phase in PHASES if phase is not Phase.QUEUED)
    declared: Mapping[str, Sequence[Mapping[str, Any]]] = {"batches": [*map(_declared, phases)]}

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir, self.phases)

    def id_of(self, phase: Phase) -> str:
        """Return the id of the batch that is named after its phase."""
        return _as_in_the_sandbox(phase)

    def job_in(self, phase: Phase) -> JobRef:
        """Return the batch that is named after its phase."""
        if phase is Phase.QUEUED:
            raise NotImplementedError(phase)
        return super().job_in(phase)


NO_QUEUE = frozenset({Phase.QUEUED})
OPENAI = BatchService(type="openai", front=openai.OpenAIBatches, path="/v1", lacks=NO_QUEUE)
NEBIUS = BatchService(type="nebius", front=openai.OpenAIBatches, path="/v1", lacks=NO_QUEUE)
AZURE_V1 = BatchService(type="azure-openai", front=azure.AzureBatches, lacks=NO_QUEUE)
AZURE_CLASSIC = BatchService(
    type="azure-openai",
    front=azure.AzureClassicBatches,
    options={"apiVersion": azure.API_VERSION},
    lacks=NO_QUEUE,
)
PASS_THROUGH = BatchService(type="litellm-passthrough", front=litellm.BatchPassThrough, lacks=NO_QUEUE)
ANTHROPIC = BatchService(
    type="anthropic",
    front=anthropic.Anthropic,
    lacks=frozenset({Phase.QUEUED, Phase.VALIDATING_FILES}),
    job_id=anthropic.batch_id,
)
NO_VALIDATION = frozenset({Phase.VALIDATING_FILES})
BEDROCK = BatchService(
    type="bedrock",
    front=bedrock.BedrockBatches,
    options={"region": bedrock.REGION},
    lacks=NO_VALIDATION,
    job_id=bedrock.batch_number,
    access_key=bedrock.ACCESS_KEY,
)
VERTEX_AI = BatchService(
    type="vertex-ai",
    front=vertex.VertexBatches,
    options={"project": vertex.PROJECT, "location": vertex.LOCATION},
    lacks=NO_VALIDATION,
    job_id=vertex.batch_number,
)
MISTRAL = BatchService(
    type="mistral",
    front=mistral.Mistral,
    lacks=NO_VALIDATION,
    job_id=batch_uuid,
    cannot=frozenset({Fault.ENDLESS_LIST}),  # pages are numbered, so that a list always ends
)
TOGETHER = BatchService(
    type="together",
    front=together.TogetherBatches,
    lacks=NO_QUEUE,
    world={"cancelTakes": "0s"},
    cannot=NO_PAGES,
)
GEMINI = BatchService(
    type="gemini",
    front=gemini.Gemini,
    lacks=NO_VALIDATION,
    world={"cancelTakes": "0s"},
    job_id=gemini.batch_name,
)
COHERE = BatchService(type="cohere", front=cohere.Cohere, lacks=NO_VALIDATION, job_id=batch_uuid)
XAI = BatchService(
    type="xai",
    front=xai.XAI,
    lacks=NO_QUEUE,
    cannot=frozenset(
        {Fault.UNKNOWN_WORD, Fault.FRACTIONAL_TIMES}
    ),  # a batch has neither a status word nor times of day
)
