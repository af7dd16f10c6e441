"""Vertex AI: its tuning jobs and its batch prediction jobs, in one project and one location.

Sources: google-cloud-aiplatform 2.7.0 `aiplatform_v1/types/tuning_job.py`; google-genai 3.4.0 `tunings.py`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel

from reconciler.plugin import (
    BATCH_JOB,
    FINE_TUNING_JOB,
    AccountConfig,
    Capabilities,
    Credentials,
    JobsOfKind,
    ObservedJob,
    Phase,
    ProviderType,
    Rate,
    Transport,
)
from reconciler.plugin.answers import field, instant, text, word
from reconciler.providers._vertex_batches import BATCH_CAPABILITIES, BATCHES
from reconciler.providers._vertex_collection import (
    JOB_ID,
    LOCATION,
    MULTI_REGIONS,
    PROJECT,
    STATES,
    VertexCollection,
    VertexJobs,
    VertexOptions,
    error_of,
    parent_of,
)

REFINEMENTS: Mapping[str, Phase] = {
    "TUNING_JOB_STATE_WAITING_FOR_QUOTA": Phase.QUEUED,
    "TUNING_JOB_STATE_WAITING_FOR_CAPACITY": Phase.QUEUED,
    "TUNING_JOB_STATE_PROCESSING_DATASET": Phase.VALIDATING_FILES,
}
"""The values of `tuningJobState` that refine the phase of a running job."""


def _job(row: Mapping[str, Any], bare_id: str, at: datetime | None) -> ObservedJob:
    state = word(row.get("state"))
    phase = STATES.get(state, Phase.UNKNOWN)
    if phase is Phase.RUNNING:
        phase = REFINEMENTS.get(word(row.get("tuningJobState")), phase)
    return ObservedJob(
        id=bare_id,
        phase=phase,
        provider_status=state,
        model=field(row, "baseModel", text),
        fine_tuned_model=field(row, "tunedModel.model", text),
        created_at=field(row, "createTime", instant),
        started_at=field(row, "startTime", instant),
        finished_at=field(row, "endTime", instant),
        error=field(row, "error", error_of),
        as_of=at,
    )


TUNING_JOBS = VertexCollection(name="tuningJobs", noun="tuning ?job", read=_job)


class VertexType:
    """The provider type `vertex-ai`: the tuning jobs and the batches of one project and location."""

    name = "vertex-ai"
    options = VertexOptions
    id_pattern = rf"(projects/{PROJECT}/locations/{LOCATION}/tuningJobs/)?{JOB_ID}"
    key_variable = "GOOGLE_APPLICATION_CREDENTIALS"
    has_whole_key = False
    url_variables = ("GOOGLE_VERTEX_BASE_URL",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType(
        {"project": ("GOOGLE_CLOUD_PROJECT",), "location": ("GOOGLE_CLOUD_LOCATION",)}
    )
    finds_credentials = True
    capabilities = Capabilities(has_whole_rows=True, page_size_max=100, filters=("an expression in Google's syntax",))
    rate = Rate()

    @property
    def kinds(self) -> Mapping[str, JobsOfKind]:
        """Return the kinds of job: tuning jobs, and batch prediction jobs."""
        tuning = JobsOfKind(id_pattern=self.id_pattern, capabilities=self.capabilities, canonical_id=self.canonical_id)
        batches = JobsOfKind(
            id_pattern=rf"(projects/{PROJECT}/locations/{LOCATION}/{BATCHES.name}/)?[0-9]{{1,32}}",
            capabilities=BATCH_CAPABILITIES,
            canonical_id=partial(_bare_id, BATCHES.name),
        )
        return {FINE_TUNING_JOB: tuning, BATCH_JOB: batches}

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the project and the location."""
        return tuple(sorted(options.model_dump().items()))

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the bare id.

        Raises `ValueError` if a resource name contains another location, or another project in the same form: as an ID
        or as a number.
        """
        return _bare_id(TUNING_JOBS.name, job_id, options)

    def own_url(self, options: BaseModel) -> str:
        """Return Google's endpoint for the location."""
        location = VertexOptions.model_validate(options).location
        if location in MULTI_REGIONS:
            return f"https://aiplatform.{location}.rep.googleapis.com"
        prefix = "" if location == "global" else f"{location}-"
        return f"https://{prefix}aiplatform.googleapis.com"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[VertexJobs]:
        """Yield the adapter for the jobs of the kind `config.account.kind`.

        Without a credential in the Provider document, Google's Application Default Credentials are used.
        """
        collection = BATCHES if config.account.kind == BATCH_JOB else TUNING_JOBS
        yield VertexJobs(transport, credentials, VertexOptions.model_validate(config.options), collection)


def _bare_id(collection: str, job_id: str, options: BaseModel) -> str:
    """Return the bare id in a job id or resource name, as `VertexType.canonical_id` does.

    A resource name can contain the number of a project, while the options contain its ID. Only Google can compare the
    two, so such a name is accepted. If it is another project, Google reports that the job does not exist. Raises
    `ValueError` if the name is of another project or location.
    """
    own = VertexOptions.model_validate(options)
    parent, _, bare = job_id.rpartition(f"/{collection}/")
    project = parent.split("/")[1] if parent else own.project
    is_incomparable = project.isdigit() is not own.project.isdigit()
    expected = own.model_copy(update={"project": project}) if is_incomparable else own
    if parent not in ("", parent_of(expected)):
        msg = (
            f"{job_id!r} is not a job of {parent_of(own)}, the project and location in the provider's options: correct "
            "one of them"
        )
        raise ValueError(msg)
    return bare


VERTEX_AI: ProviderType = VertexType()
