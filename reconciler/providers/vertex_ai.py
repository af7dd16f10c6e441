"""Vertex AI's tuning jobs: `tuningJobs` of one project in one location.

Rules: a job goes by its bare id; a spec may also give the full resource name, if that is of the account's own project
and location. A cancel is best effort: the answer is empty, and only a later look tells. Times are RFC 3339.

Sources: google-cloud-aiplatform 2.7.0 `aiplatform_v1/types/{genai_tuning_service,tuning_job}.py`; google-genai 3.4.0
`tunings.py`; cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from reconciler.plugin import (
    AccountConfig,
    Capabilities,
    Credentials,
    Document,
    JobError,
    JobPage,
    JobRef,
    ListQuery,
    ObservedJob,
    Permanent,
    Phase,
    ProviderType,
    Rate,
    Response,
    Transport,
)
from reconciler.plugin.answers import (
    asked_for,
    cursor,
    field,
    instant,
    json_object,
    name_of,
    rows_of,
    text,
    unknown_job,
    unless_moot,
    without_secrets,
    word,
)
from reconciler.providers._google import application_default
from reconciler.providers._google_errors import complaint, raise_unless_ok, words

PROJECT = r"[a-z0-9][a-z0-9.:-]{0,62}"
LOCATION = r"[a-z][a-z0-9-]{0,31}"
JOB_ID = r"[A-Za-z0-9_-]{1,63}"

STATES: Mapping[str, Phase] = {
    "JOB_STATE_QUEUED": Phase.QUEUED,
    "JOB_STATE_PENDING": Phase.QUEUED,
    "JOB_STATE_RUNNING": Phase.RUNNING,
    "JOB_STATE_UPDATING": Phase.RUNNING,
    "JOB_STATE_PAUSED": Phase.PAUSED,
    "JOB_STATE_CANCELLING": Phase.CANCELLING,
    "JOB_STATE_SUCCEEDED": Phase.SUCCEEDED,
    "JOB_STATE_PARTIALLY_SUCCEEDED": Phase.SUCCEEDED,
    "JOB_STATE_FAILED": Phase.FAILED,
    "JOB_STATE_EXPIRED": Phase.FAILED,
    "JOB_STATE_CANCELLED": Phase.CANCELLED,
}
REFINEMENTS: Mapping[str, Phase] = {
    "TUNING_JOB_STATE_WAITING_FOR_QUOTA": Phase.QUEUED,
    "TUNING_JOB_STATE_WAITING_FOR_CAPACITY": Phase.QUEUED,
    "TUNING_JOB_STATE_PROCESSING_DATASET": Phase.VALIDATING_FILES,
}
"""What `tuningJobState` tells of a job whose state is only that it runs."""

_SPEAKS_OF_A_JOB = re.compile(r"tuning ?job", re.IGNORECASE)


class VertexOptions(Document):
    """Where the jobs are: each project has its own in each location."""

    project: Annotated[str, Field(pattern=f"^{PROJECT}$")] = Field(description="The project's id or number.")
    location: Annotated[str, Field(pattern=f"^{LOCATION}$")] = Field(description="Such as us-central1, or global.")


class VertexJobs:
    """The tuning jobs of one project in one location."""

    def __init__(self, transport: Transport, credentials: Credentials, options: VertexOptions) -> None:
        self._transport = transport
        self._credentials = credentials
        self._ambient = application_default()
        self._options = options

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page; an empty list leaves out `tuningJobs`."""
        window = {"pageSize": str(query.page_size)} | ({} if cursor_ is None else {"pageToken": cursor_})
        response = await self._send("GET", "", window)
        raise_unless_ok(response)
        body = {"tuningJobs": [], **json_object(response)}
        jobs = tuple(_job(row, response.at) for row in rows_of(body, "tuningJobs"))
        return JobPage(jobs, cursor(body.get("nextPageToken")))

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for Google's own words that it has no such job."""
        response = await self._send("GET", _path(ref))
        if _says_there_is_no_job(response, ref):
            return None
        raise_unless_ok(response)
        return asked_for(_job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> ObservedJob | None:
        """Ask for a cancel, best effort; quiet if the job is over or being cancelled."""
        response = await self._send("POST", f"{_path(ref)}:cancel")
        if _says_there_is_no_job(response, ref):
            raise unknown_job(words(response))
        try:
            raise_unless_ok(response)
        except Permanent as refusal:
            return await unless_moot(self, ref, refusal)
        json_object(response)
        return None

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        token = await self._credentials.token() or await self._ambient.get()
        response = await self._transport.send(
            method,
            f"/v1/{quote(_parent(self._options))}/tuningJobs{path}",
            query=query,
            headers={"accept": "application/json", "authorization": f"Bearer {token}"},
        )
        return without_secrets(response, token)


def _parent(options: VertexOptions) -> str:
    return f"projects/{options.project}/locations/{options.location}"


def _path(ref: JobRef) -> str:
    return f"/{quote(ref.id, safe='')}"


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    state = word(row.get("state"))
    phase = STATES.get(state, Phase.UNKNOWN)
    if phase is Phase.RUNNING:
        phase = REFINEMENTS.get(word(row.get("tuningJobState")), phase)
    return ObservedJob(
        id=name_of(row, "name").rpartition("/tuningJobs/")[2],
        phase=phase,
        provider_status=state,
        model=field(row, "baseModel", text),
        fine_tuned_model=field(row, "tunedModel.model", text),
        created_at=field(row, "createTime", instant),
        started_at=field(row, "startTime", instant),
        finished_at=field(row, "endTime", instant),
        error=field(row, "error", _error),
        as_of=at,
    )


def _error(value: Any) -> JobError | None:
    """Read a `google.rpc.Status`; a cancelled job has one, too, with code 1."""
    if not isinstance(value, dict) or not value.get("code"):
        return None
    return JobError(code=word(value["code"]), message=text(value.get("message")))


def _says_there_is_no_job(response: Response, ref: JobRef) -> bool:
    """Whether this is NOT_FOUND, and of this job: a project or a location is also said to be not found."""
    message = str(complaint(response).get("message"))
    is_of_a_job = ref.id in message or _SPEAKS_OF_A_JOB.search(message) is not None
    return complaint(response).get("status") == "NOT_FOUND" and is_of_a_job


class VertexType:
    """Everything that is true of Vertex AI before an account is opened."""

    name = "vertex-ai"
    options = VertexOptions
    id_pattern = rf"(projects/{PROJECT}/locations/{LOCATION}/tuningJobs/)?{JOB_ID}"
    key_variable = "GOOGLE_APPLICATION_CREDENTIALS"
    url_variable = "GOOGLE_VERTEX_BASE_URL"
    finds_credentials = True
    capabilities = Capabilities(has_whole_rows=True, page_size_max=100, filters=("an expression of Google's",))
    rate = Rate()

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return project and location."""
        return tuple(sorted(options.model_dump().items()))

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the bare id. Raises ValueError for a resource name of another project or location."""
        own = VertexOptions.model_validate(options)
        parent, _, bare = job_id.rpartition("/tuningJobs/")
        if parent not in ("", _parent(own)):
            msg = f"{job_id!r} is not a job of {_parent(own)}, which is what this account's options say"
            raise ValueError(msg)
        return bare

    def own_url(self, options: BaseModel) -> str:
        """Return the location's own host at Google."""
        location = VertexOptions.model_validate(options).location
        prefix = "" if location == "global" else f"{location}-"
        return f"https://{prefix}aiplatform.googleapis.com"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[VertexJobs]:
        """Open one account; without credentials of its own it uses Application Default Credentials."""
        yield VertexJobs(transport, credentials, VertexOptions.model_validate(config.options))


VERTEX_AI: ProviderType = VertexType()
