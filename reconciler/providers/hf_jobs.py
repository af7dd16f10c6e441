"""Hugging Face Jobs of one namespace: a user or an organisation.

- A job is a container with any content. `adopt` and `drift` list only the jobs with the label in the options, and no
  job without that option. A job that a spec names is managed, whatever its labels.
- An id belongs to one namespace. A scheduled job is a schedule that creates jobs. Its id is not the id of a job. A
  cancel of a job that it created does not end the schedule.
- The service chooses the size of a page. A header contains the address of the next page; the adapter uses only its
  query.
- There is no status for a job that is being cancelled.
- `DELETED` is a status of a job that has ended. It does not show how the job ended, so it is reported as failed.

Sources: huggingface_hub 2.4.0 `hf_api.py`, `_jobs_api.py`, `utils/_http.py`, `utils/_pagination.py`; huggingface.js
`packages/hub/src/lib/jobs/cancel-job.ts` (the response to a cancel); huggingface/hub-docs `docs/jobs/manage.md`,
`docs/jobs/pricing.md`; huggingface/skills `hub_saving.md` (what a cancel loses). Not confirmed against the service: the
errors for a missing job and for a cancel of a job that has ended, the order of a list, and the status of a job that ran
out of time.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import parse_qsl, urlsplit

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
    Phase,
    ProviderType,
    Rate,
    Transport,
)
from reconciler.plugin.answers import field, instant, jobs_of, name_of, text, word
from reconciler.providers._json_api import bearer
from reconciler.providers._not_found import says_missing
from reconciler.providers._rest_jobs import RestApi, RestJobs

DELETED = "DELETED"
STAGES: Mapping[str, Phase] = {
    "SCHEDULING": Phase.QUEUED,
    "RUNNING": Phase.RUNNING,
    "COMPLETED": Phase.SUCCEEDED,
    "ERROR": Phase.FAILED,
    DELETED: Phase.FAILED,
    "CANCELED": Phase.CANCELLED,
}
_NAMESPACE = r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}"
_WORD = r"[A-Za-z0-9._-]{1,100}"
_ROWS = "jobs"
_NEXT = re.compile(r'<([^<>]{0,4096})>; ?rel="?next"?')


class HubOptions(Document):
    """The namespace, and the label of its fine-tuning jobs."""

    namespace: Annotated[str, Field(pattern=f"^{_NAMESPACE}$")] = Field(
        description="The user or organisation that owns the jobs."
    )
    label: Annotated[str, Field(pattern=f"^{_WORD}={_WORD}$")] | None = Field(
        None,
        description="The label that marks fine-tuning jobs, such as task=sft. Lists contain only jobs with this label. "
        "Without it, adopt and drift list no job.",
    )


class HubJobs(RestJobs):
    """A `JobController` for the jobs of one namespace."""

    def __init__(self, transport: Transport, credentials: Credentials, options: HubOptions) -> None:
        api = RestApi(
            path=f"/api/jobs/{options.namespace}",
            rows=_ROWS,
            headers=bearer,
            job=partial(_job, options.label),
            is_missing=_is_missing,
        )
        super().__init__(transport, credentials, api)
        self._filter = {} if options.label is None else {"label": options.label}

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page: a page of the service, or a part of it.

        A cursor contains the number of rows before the part, and the query of the page. Raises `TransientError` or
        `PermanentError` if the page cannot be read.
        """
        before, _, address = (cursor or "0?").partition("?")
        start, stop = int(before), int(before) + query.page_size
        response = await self._send("GET", "", {**dict(parse_qsl(address)), **self._filter})
        self._raise_unless_ok(response)
        body = response.json()
        rows = body[start:stop] if isinstance(body, list) else None
        jobs, garbled = jobs_of({_ROWS: rows}, _ROWS, lambda row: self._api.job(row, response.at))
        if stop < len(body):
            return JobPage(jobs, f"{stop}?{address}", garbled)
        following = _NEXT.search(response.headers.get("link", ""))
        return JobPage(jobs, f"0?{_query_of(following[1])}" if following else None, garbled)


def _query_of(address: str) -> str:
    """Return the query of an address, or an empty text if it has none or is not an address."""
    try:
        return urlsplit(address).query
    except ValueError:
        return ""


def _job(label: str | None, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    state = row.get("status")
    status: Mapping[str, Any] = state if isinstance(state, dict) else {}
    stage = word(status.get("stage"))
    phase = STAGES.get(stage, Phase.UNKNOWN)
    return ObservedJob(
        id=name_of(row, "id"),
        phase=phase,
        provider_status=stage,
        created_at=field(row, "createdAt", instant),
        started_at=field(row, "startedAt", instant),
        finished_at=field(row, "finishedAt", instant),
        error=field(status, "message", partial(_error, stage)) if phase in {Phase.FAILED, Phase.CANCELLED} else None,
        as_of=at,
        is_of_kind=_has_label(row.get("labels"), label),
    )


def _error(stage: str, value: Any) -> JobError | None:
    error = JobError(code=DELETED if stage == DELETED else None, message=text(value) or None)
    return error if error.code or error.message else None


def _has_label(labels: Any, label: str | None) -> bool:
    if label is None or not isinstance(labels, dict):
        return False
    name, _, value = label.partition("=")
    found = labels.get(name)
    return isinstance(found, str) and found == value


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    message = body.get("error")
    return isinstance(message, str) and says_missing(message, ref, "job")


class HubType:
    """The provider type `hf-jobs`: the jobs of one namespace."""

    name = "hf-jobs"
    options = HubOptions
    id_pattern = rf"({_NAMESPACE}/)?[A-Za-z0-9_-]{{8,64}}"
    key_variable = "HF_TOKEN"
    has_whole_key = True
    url_variables = ("HF_ENDPOINT",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    finds_credentials = False
    capabilities = Capabilities(
        cancel_loses="what the job has not uploaded, because its disk is deleted",
        cancel_costs="the minutes that it ran",
        has_whole_rows=True,
        page_size_max=1000,
        filters=("stage", "label"),
    )
    rate = Rate(requests_per_second=1.5, burst=10, concurrency=4)  # the quota of the API: 500 requests in 300 s

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the namespace. The label only marks some of its jobs."""
        return tuple(options.model_dump(include={"namespace"}).items())

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the id without its namespace. Raises `ValueError` for a job in another namespace."""
        own = HubOptions.model_validate(options).namespace
        namespace, _, bare = job_id.rpartition("/")
        if namespace.lower() not in {"", own.lower()}:
            msg = f"{job_id!r} is not a job of {own}, the namespace in the provider's options: correct one of them"
            raise ValueError(msg)
        return bare

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the address of the service."""
        return "https://huggingface.co"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[HubJobs]:
        """Yield the adapter for the jobs of the namespace."""
        yield HubJobs(transport, credentials, HubOptions.model_validate(config.options))


HF_JOBS: ProviderType = HubType()
