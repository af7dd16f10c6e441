"""A collection of jobs in one project and one location of Vertex AI: list, retrieve and cancel.

- A job is identified by its bare id. A spec can also contain the full resource name, with the project and location of
  the account.
- A cancel is best effort: its response is empty, and only a later observation shows its effect.
- Times are RFC 3339.

Sources: google-cloud-aiplatform 2.7.0 `aiplatform_v1/types/genai_tuning_service.py`; google-genai 3.6.1 `tunings.py`,
`batches.py`; cloud.google.com/vertex-ai/docs/reference/rest/v1/JobState.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field

from reconciler.plugin import (
    TERMINAL,
    Accepted,
    AlreadyOver,
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
    Response,
    Transport,
    clean,
)
from reconciler.plugin.answers import (
    already_over_or_raise,
    cursor,
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
from reconciler.providers._json_api import change_outcome, job_path
from reconciler.providers._not_found import says_missing

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
_PARENT = re.compile(rf"projects/(?P<project>{PROJECT})/locations/(?P<location>{LOCATION})")


class VertexOptions(Document):
    """The project and location of the jobs."""

    project: Annotated[str, Field(pattern=f"^{PROJECT}$")] = Field(description="The ID or number of the project.")
    location: Annotated[str, Field(pattern=f"^{LOCATION}$")] = Field(
        description="The location, such as us-central1 or global."
    )


Read = Callable[[Mapping[str, Any], str, "datetime | None"], ObservedJob]
"""A function that returns a job, given its row, its bare id, and the time of the provider's clock or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexCollection:
    """One collection.

    Args:
        name: its name in URLs and responses.
        noun: a regular expression for the word for a job in the message of an error.
        read: returns the job in a row.
    """

    name: str
    noun: str
    read: Read


class VertexJobs:
    """A `JobController` for the jobs of one collection."""

    def __init__(
        self, transport: Transport, credentials: Credentials, options: VertexOptions, collection: VertexCollection
    ) -> None:
        self._transport = transport
        self._credentials = credentials
        self._ambient = application_default()
        self._options = options
        self._collection = collection

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page. Google omits the list if there are no jobs.

        Raises `TransientError` or `PermanentError` if the page cannot be read, or if a job in it is of another project
        or location.
        """
        window = {"pageSize": str(query.page_size)} | ({} if cursor_ is None else {"pageToken": cursor_})
        response = await self._send("GET", "", window)
        raise_unless_ok(response)
        key = self._collection.name
        body = {key: [], **json_object(response)}
        jobs, garbled = jobs_of(body, key, lambda row: self._job(row, response.at))
        return JobPage(jobs, cursor(body.get("nextPageToken")), garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None if Google reports that it does not exist.

        Raises `TransientError` or `PermanentError` if it cannot be retrieved, or is of another project or location.
        """
        response = await self._send("GET", job_path(ref))
        if self._is_missing(response, ref):
            return None
        raise_unless_ok(response, is_of_job=True)
        return require_same_job(self._job(json_object(response), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel.

        Return `AlreadyOver` if the response shows that the job has succeeded or failed, or if the request was refused
        and the job has ended or is being cancelled. Raises `PermanentError` for any other refusal, even if there is
        no such job, and `TransientError` for a temporary failure.
        """
        response = await self._send("POST", f"{job_path(ref)}:cancel")
        if self._is_missing(response, ref):
            raise unknown_job(error_text(response))
        try:
            raise_unless_ok(response, is_of_job=True)
            return change_outcome(response, ref, self._job, TERMINAL - {Phase.CANCELLED})
        except PermanentError as refusal:
            return await already_over_or_raise(self, ref, refusal)

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        given = await self._credentials.token()
        access = Access(given) if given else await self._ambient.get()
        payer = {} if access.quota_project is None else {"x-goog-user-project": access.quota_project}
        return await self._transport.send(
            method,
            f"/v1/{quote(parent_of(self._options))}/{self._collection.name}{path}",
            query=query,
            headers={"accept": "application/json", "authorization": f"Bearer {access.token}", **payer},
        )

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        return self._collection.read(row, _own_id(name_of(row, "name"), self._collection.name, self._options), at)

    def _is_missing(self, response: Response, ref: JobRef) -> bool:
        """Return whether this is a NOT_FOUND error about this job, named by its resource name or its bare id."""
        error = error_object(response)
        name = rf"(?<![\w/])projects/[\w./:-]*/{re.escape(ref.id)}(?![\w/-])"
        told = re.sub(name, ref.id, str(error.get("message")))
        return error.get("status") == "NOT_FOUND" and says_missing(told, ref, self._collection.noun)


def parent_of(options: VertexOptions) -> str:
    """Return the resource name of the project and the location."""
    return f"projects/{options.project}/locations/{options.location}"


def _own_id(name: str, collection: str, options: VertexOptions) -> str:
    """Return the bare id in a resource name. Raises `PermanentError(missing)` if it names another project or location.

    Google may return the number of a project instead of its ID. Neither can be computed from the other, so a number is
    compared only with a number, and an ID only with an ID.
    """
    parent, _, bare = name.rpartition(f"/{collection}/")
    found = _PARENT.fullmatch(parent)
    if found is not None:
        is_comparable = found["project"].isdecimal() == options.project.isdecimal()
        is_other = is_comparable and found["project"] != options.project
        if is_other or found["location"] != options.location:
            msg = (
                f"the response is for {clean(parent)}, but the options name {parent_of(options)}: correct the "
                "provider's options"
            )
            raise PermanentError(msg, kind=Kind.MISSING)
    return bare


def error_of(value: Any) -> JobError | None:
    """Return the error of a job from a `google.rpc.Status`, or None if it has no code or the code is 0.

    Google also sets an error for a cancelled job: code 1.
    """
    if not isinstance(value, dict) or not value.get("code"):
        return None
    return JobError(code=word(value["code"]), message=text(value.get("message")))
