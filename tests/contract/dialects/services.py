"""Each provider type with its test server and the account that a test uses."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from reconciler.model.job import Phase
from reconciler.testing import Fault
from tests.contract.dialects import azure, bedrock, fireworks, hf_jobs, litellm, openai, sagemaker, together, vertex
from tests.contract.dialects.translating_app import TranslatingApp

FrontType = type[TranslatingApp]
SLOWLY = {"cancelTakes": "30s", "cancelWord": "cancelling"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A provider type, with the properties of its test account."""

    type: str
    front: FrontType
    """The application that translates between the sandbox's API and the service's own, and checks the service's key."""
    options: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    """The end of the service's base URL."""
    lacks: frozenset[Phase] = frozenset()
    """The phases that the service cannot show."""
    world: Mapping[str, Any] = field(default_factory=dict)
    """The options with which the sandbox cancels a job as the service does."""
    access_key: str = ""
    job_id: Callable[[str], str] = str
    """The function that returns the service's id of a job of the sandbox."""
    cannot: frozenset[Fault] = frozenset()
    """The faults that the service cannot have."""

    def key(self, secret: str) -> str:
        """Return a credential with this secret. AWS's credential has two parts."""
        return f"{self.access_key}:{secret}" if self.access_key else secret


OPENAI = Service(type="openai", front=openai.OpenAI, path="/v1")
NEBIUS = Service(type="nebius", front=openai.OpenAI, path="/v1")
AZURE_V1 = Service(type="azure-openai", front=azure.AzureV1)
AZURE_CLASSIC = Service(type="azure-openai", front=azure.AzureClassic, options={"apiVersion": azure.API_VERSION})
LITELLM = Service(
    type="litellm",
    front=litellm.LiteLLM,
    options={"customLlmProvider": litellm.UPSTREAM},
    lacks=frozenset({Phase.PAUSED}),
)
PASS_THROUGH = Service(type="litellm-passthrough", front=litellm.PassThrough)
VERTEX_AI = Service(
    type="vertex-ai",
    front=vertex.Vertex,
    options={"project": vertex.PROJECT, "location": vertex.LOCATION},
    lacks=frozenset({Phase.PAUSED}),
    world=SLOWLY,
)
BEDROCK = Service(
    type="bedrock",
    front=bedrock.Bedrock,
    options={"region": bedrock.REGION},
    lacks=frozenset({Phase.PAUSED}),
    world=SLOWLY,
    access_key=bedrock.ACCESS_KEY,
)
SAGEMAKER = Service(
    type="sagemaker",
    front=sagemaker.SageMaker,
    options={"region": sagemaker.REGION},
    lacks=frozenset({Phase.PAUSED}),
    world=SLOWLY,
    access_key=sagemaker.ACCESS_KEY,
)

CUSTOMIZATION_JOBS = replace(
    SAGEMAKER,
    front=sagemaker.CustomizationJobs,
    options={**SAGEMAKER.options, "collection": f"jobs/{sagemaker.CATEGORY}"},
    job_id=sagemaker.customization_id,
)
TRAINING_SESSIONS = replace(
    SAGEMAKER,
    front=sagemaker.TrainingSessions,
    options={**SAGEMAKER.options, "collection": "trainingSessions"},
    lacks=frozenset({Phase.VALIDATING_FILES, Phase.PAUSED, Phase.SUCCEEDED}),
    job_id=sagemaker.session_id,
)

NO_PAGES = frozenset({Fault.ENDLESS_LIST, Fault.EMPTY_PAGE})
TOGETHER = Service(
    type="together",
    front=together.Together,
    lacks=frozenset({Phase.VALIDATING_FILES, Phase.PAUSED}),
    world=SLOWLY,
    job_id=together.job_id,
    cannot=NO_PAGES,
)
FIREWORKS = Service(
    type="fireworks",
    front=fireworks.Fireworks,
    options={"account": fireworks.ACCOUNT},
    lacks=frozenset({Phase.PAUSED}),
    world=SLOWLY,
    job_id=fireworks.job_id,
)

HF_JOBS = Service(
    type="hf-jobs",
    front=hf_jobs.HuggingFace,
    options={"namespace": hf_jobs.NAMESPACE, "label": hf_jobs.LABEL},
    lacks=frozenset({Phase.VALIDATING_FILES, Phase.PAUSED}),
    job_id=hf_jobs.job_id,
)

SERVICES: Mapping[str, Service] = {
    "openai": OPENAI,
    "nebius": NEBIUS,
    "azure-openai": AZURE_V1,
    "azure-openai, classic": AZURE_CLASSIC,
    "hf-jobs": HF_JOBS,
    "litellm": LITELLM,
    "litellm-passthrough": PASS_THROUGH,
    "vertex-ai": VERTEX_AI,
    "bedrock": BEDROCK,
    "sagemaker": SAGEMAKER,
    "sagemaker, customization jobs": CUSTOMIZATION_JOBS,
    "sagemaker, training sessions": TRAINING_SESSIONS,
    "together": TOGETHER,
    "fireworks": FIREWORKS,
}
