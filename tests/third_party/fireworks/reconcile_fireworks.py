"""Fireworks' supervised fine-tuning jobs: an example of a provider type in a package of its own.

Rules: a spec names a job by its bare ID, or by its full resource name, which must belong to the account in the options.
A cancel has the response `{}`, and only a later observation shows its effect.

Source: fireworks-ai 1.2.30 `resources/supervised_fine_tuning_jobs.py`. The response for a missing job is not confirmed.
The adapter expects the one of the gRPC gateway, `{"code": 5, "message": …}`.
"""

from __future__ import annotations

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
    failure,
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

COLLECTION = "supervisedFineTuningJobs"
NOT_FOUND = 5
STATES: Mapping[str, Phase] = {
    "JOB_STATE_VALIDATING": Phase.VALIDATING_FILES,
    "JOB_STATE_CREATING": Phase.QUEUED,
    "JOB_STATE_PENDING": Phase.QUEUED,
    "JOB_STATE_RE_QUEUEING": Phase.QUEUED,
    "JOB_STATE_RUNNING": Phase.RUNNING,
    "JOB_STATE_WRITING_RESULTS": Phase.RUNNING,
    "JOB_STATE_PAUSED": Phase.PAUSED,
    "JOB_STATE_CANCELLING": Phase.CANCELLING,
    "JOB_STATE_COMPLETED": Phase.SUCCEEDED,
    "JOB_STATE_EARLY_STOPPED": Phase.SUCCEEDED,
    "JOB_STATE_FAILED": Phase.FAILED,
    "JOB_STATE_EXPIRED": Phase.FAILED,
    "JOB_STATE_CANCELLED": Phase.CANCELLED,
}


class FireworksOptions(Document):
    """The Fireworks account of the jobs."""

    account: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,63}$")] = Field(description="The account's id.")


class FireworksJobs:
    """The jobs of one account."""

    def __init__(self, transport: Transport, credentials: Credentials, account: str) -> None:
        self._transport = transport
        self._credentials = credentials
        self._jobs = f"/v1/accounts/{account}/{COLLECTION}"

    async def list_page(self, query: ListQuery, cursor_: str | None) -> JobPage:
        """Return one page."""
        window = {"pageSize": str(query.page_size)} | ({} if cursor_ is None else {"pageToken": cursor_})
        body = json_object(_ok(await self._send("GET", "", window)))
        jobs, garbled = jobs_of(body, COLLECTION, lambda row: _job(row, None))
        return JobPage(jobs, cursor(body.get("nextPageToken")), garbled)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job; None only for the provider's own not-found answer."""
        response = await self._send("GET", f"/{quote(ref.id, safe='')}")
        if _says_there_is_no_job(response):
            return None
        return require_same_job(_job(json_object(_ok(response)), response.at), ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel. The request has no effect on a job that is final or already being cancelled."""
        response = await self._send("POST", f"/{quote(ref.id, safe='')}:cancel")
        if _says_there_is_no_job(response):
            raise unknown_job(_words(response))
        try:
            return acceptance(_ok(response))
        except PermanentError as refusal:
            return await already_over_or_raise(self, ref, refusal)

    async def _send(self, method: str, path: str, query: Mapping[str, str] | None = None) -> Response:
        key = await self._credentials.token()
        headers = {"accept": "application/json", "authorization": f"Bearer {key}"}
        body: dict[str, object] | None = {} if method == "POST" else None
        return await self._transport.send(method, self._jobs + path, query=query, json=body, headers=headers)


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    state = word(row.get("state"))
    return ObservedJob(
        id=name_of(row, "name").rpartition("/")[2],
        phase=STATES.get(state, Phase.UNKNOWN),
        provider_status=state,
        model=field(row, "baseModel", text),
        fine_tuned_model=field(row, "outputModel", text),
        created_at=field(row, "createTime", instant),
        finished_at=field(row, "completedTime", instant),
        error=field(row, "status", _error),
        as_of=at,
    )


def _error(value: Any) -> JobError | None:
    said = text(value.get("message")) if isinstance(value, dict) else None
    return JobError(code=text(value.get("code")), message=said) if said else None


def _says_there_is_no_job(response: Response) -> bool:
    return response.status == 404 and _complaint(response).get("code") == NOT_FOUND


def _complaint(response: Response) -> Mapping[str, Any]:
    try:
        return json_object(response)
    except PermanentError:
        return {}


def _ok(response: Response) -> Response:
    """Return the response. Raises the error of a response with a status of 400 or more."""
    if response.status < 400:
        return response
    if response.status == 404:
        msg = f"this is not Fireworks' answer ({_words(response)}): check the account and the base URL"
        raise PermanentError(msg, kind=Kind.INVALID)
    raise failure(response, f"Fireworks refused this ({_words(response)})")


def _words(response: Response) -> str:
    said = text(_complaint(response).get("message"))
    return f"HTTP {response.status}: {said}" if said else f"HTTP {response.status}"


class FireworksType:
    """The properties of Fireworks that do not depend on an account."""

    name = "fireworks"
    options = FireworksOptions
    id_pattern = rf"(accounts/[a-z0-9-]{{1,63}}/{COLLECTION}/)?[a-z0-9-]{{1,63}}"
    key_variable = "FIREWORKS_API_KEY"
    has_whole_key = True
    url_variables = ("FIREWORKS_BASE_URL",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({})
    finds_credentials = False
    capabilities = Capabilities(page_size_max=200, list_order="by name", filters=("an expression (AIP-160)",))
    rate = Rate()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the bare id. Raises ValueError for a resource name of another account."""
        account = FireworksOptions.model_validate(options).account
        parent, _, bare = job_id.rpartition("/")
        if parent not in ("", f"accounts/{account}/{COLLECTION}"):
            msg = f"{job_id!r} is not a job of the account {account!r}, which is what the options say"
            raise ValueError(msg)
        return bare

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the account ID, which distinguishes accounts with the same address."""
        return (("account", FireworksOptions.model_validate(options).account),)

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the default base URL of the service."""
        return "https://api.fireworks.ai"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[FireworksJobs]:
        """Open one account."""
        yield FireworksJobs(transport, credentials, FireworksOptions.model_validate(config.options).account)


FIREWORKS: ProviderType = FireworksType()
