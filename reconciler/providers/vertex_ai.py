"""Vertex AI's tuning jobs: the `tuningJobs` of one project in one location.

- A job is identified by its bare id. A spec can also contain the full resource name, with the project and location of
  the account.
- A cancel is best effort: its response is empty, and only a later observation shows its effect.
- Times are RFC 3339.

Sources: google-cloud-aiplatform 2.7.0 `aiplatform_v1/types/{genai_tuning_service,tuning_job}.py`; google-genai 3.4.0
`tunings.py`; cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from reconciler.plugin import (
    Accepted,
    AccountConfig,
    AlreadyOver,
    Capabilities,
    Credentials,
    Document,
    JobError,
    JobPage,
    JobRef,
    Kind,
    ListQuery,
    ObservedJob,
    PermanentError,
    Phase,
    ProviderType,
    Rate,
    Response,
    Transport,
    clean,
)
from reconciler.plugin.answers import (
    acceptance,
    already_over_or_raise,
    cursor,
    field,
    instant,
    jobs_of,
    json_object,
    name_of,
    require_same_job,
    text,
    unknown_job,
    word,
)
from reconciler.providers._google import Access, application_default
from reconciler.providers._google_errors import error_object, error_text, raise_unless_ok

PROJECT = r"[a-z0-9][a-z0-9.:-]{0,62}"
LOCATION = r"[a-z][a-z0-9-]{0,31}"
MULTI_REGIONS = frozenset({"eu", "us"})
"""Locations whose host names have another form (google-genai 3.6.1 `_api_client.py`)."""
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
"""The values of `tuningJobState` that refine the phase of a running job."""

_PARENT = re.compile(rf"projects/(?P<project>{PROJECT})/locations/(?P<location>{LOCATION})")
_NAMES_A_JOB = re.compile(r"tuning ?job", re.IGNORECASE)


class VertexOptions(Document):
    """The project and location of the jobs."""

    project: Annotated[str, Field(pattern=f"^{PROJECT}$")] = Field(description="The ID or number of the project.")
    location: Annotated[str, Field(pattern=f"^{LOCATION}$")] = Field(
        description="The location, such as us-central1 or global."
    )


class VertexJobs:
    """The tuning jobs of one project in one location."""

    def __init__(self, transport: Transport, credentials: Credentials, options: VertexOptions) -> None:
        self._transport = transport
        self._credentials = credentials
        self._ambient = application_default()
        self._options = options

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page. Google leaves out `tuningJobs` if there are no jobs."""
        window = {"pageSize": str(query.page_size)} | ({} if cursor_ is None else {"pageToken": cursor_})
        response = await self._send("GET", "", window)
        raise_unless_ok(response)
        body = {"tuningJobs": [], **json_object(response)}
        jobs, garbled = jobs_of(body, "tuningJobs", lambda row: _job(row, response.at, self._options))
        return JobPage(jobs, cursor(body.get("nextPageToken")), garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only if Google reports that there is no such job."""
        response = await self._send("GET", _path(ref))
        if _is_job_not_found(response, ref):
            return None
        raise_unless_ok(response)
        return require_same_job(_job(json_object(response), response.at, self._options), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel. Return `AlreadyOver` if it was refused and the job has ended or is being cancelled."""
        response = await self._send("POST", f"{_path(ref)}:cancel")
        if _is_job_not_found(response, ref):
            raise unknown_job(error_text(response))
        try:
            raise_unless_ok(response)
            return acceptance(response)
        except PermanentError as refusal:
            return await already_over_or_raise(self, ref, refusal)

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        given = await self._credentials.token()
        access = Access(given) if given else await self._ambient.get()
        payer = {} if access.quota_project is None else {"x-goog-user-project": access.quota_project}
        return await self._transport.send(
            method,
            f"/v1/{quote(_parent(self._options))}/tuningJobs{path}",
            query=query,
            headers={"accept": "application/json", "authorization": f"Bearer {access.token}", **payer},
        )


def _parent(options: VertexOptions) -> str:
    return f"projects/{options.project}/locations/{options.location}"


def _path(ref: JobRef) -> str:
    return f"/{quote(ref.id, safe='')}"


def _own_id(name: str, options: VertexOptions) -> str:
    """Return the bare id in a resource name. Raises `PermanentError(missing)` if it names another project or location.

    Google may return the number of a project instead of its ID. Neither can be computed from the other, so a number is
    compared only with a number, and an ID only with an ID.
    """
    parent, _, bare = name.rpartition("/tuningJobs/")
    found = _PARENT.fullmatch(parent)
    if found is not None:
        is_comparable = found["project"].isdecimal() == options.project.isdecimal()
        is_other = is_comparable and found["project"] != options.project
        if is_other or found["location"] != options.location:
            msg = f"the response is for {clean(parent)}, but the options name {_parent(options)}: correct the options"
            raise PermanentError(msg, kind=Kind.MISSING)
    return bare


def _job(row: Mapping[str, Any], at: datetime | None, options: VertexOptions) -> ObservedJob:
    state = word(row.get("state"))
    phase = STATES.get(state, Phase.UNKNOWN)
    if phase is Phase.RUNNING:
        phase = REFINEMENTS.get(word(row.get("tuningJobState")), phase)
    return ObservedJob(
        id=_own_id(name_of(row, "name"), options),
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
    """Return the error of a job from a `google.rpc.Status`. Google also sets one for a cancelled job: code 1."""
    if not isinstance(value, dict) or not value.get("code"):
        return None
    return JobError(code=word(value["code"]), message=text(value.get("message")))


def _is_job_not_found(response: Response, ref: JobRef) -> bool:
    """Return whether this is a NOT_FOUND error about this job, and not about its project or location."""
    message = str(error_object(response).get("message"))
    names_a_job = ref.id in message or _NAMES_A_JOB.search(message) is not None
    return error_object(response).get("status") == "NOT_FOUND" and names_a_job


class VertexType:
    """The provider type of Vertex AI."""

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
    capabilities = Capabilities(has_whole_rows=True, page_size_max=100, filters=("an expression of Google's",))
    rate = Rate()

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the project and the location."""
        return tuple(sorted(options.model_dump().items()))

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the bare id. Raises `ValueError` if a resource name contains another project or location.

        A resource name can contain the number of a project, while the options contain its ID. Only Google can compare
        the two, so such a name is accepted. If it is another project, Google reports that the job does not exist.
        """
        own = VertexOptions.model_validate(options)
        parent, _, bare = job_id.rpartition("/tuningJobs/")
        project = parent.split("/")[1] if parent else own.project
        is_incomparable = project.isdigit() is not own.project.isdigit()
        expected = own.model_copy(update={"project": project}) if is_incomparable else own
        if parent not in ("", _parent(expected)):
            msg = f"{job_id!r} is not a job of {_parent(own)}, the project and location in this account's options"
            raise ValueError(msg)
        return bare

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
        """Open one account. Without a credential in the document, Application Default Credentials are used."""
        yield VertexJobs(transport, credentials, VertexOptions.model_validate(config.options))


VERTEX_AI: ProviderType = VertexType()
