"""Fireworks AI's fine-tuning jobs in one account: supervised, preference, reinforcement and trainer jobs.

- Each of the four collections has ids of its own, so jobs of two collections can have the same id. Therefore an id
  names its collection: `dpoJobs/ID`. A spec can also contain the full resource name. A bare id is not accepted.
- A list reads one collection after another. The list fails if one of the collections cannot be read.
- A cancel has the body `{}` and the response `{}`. Only a later observation shows its effect.
- `outputModel` is set before the training, so it is reported only for a job that has succeeded.
- Only Fireworks itself can pause a job.
- A gRPC gateway returns the code of a not-found error for an unknown address too. Such an error shows that a job is
  absent only if its message is about that job.

Sources: fireworks-ai 1.2.30 `resources/{supervised_fine_tuning_jobs,dpo_jobs,reinforcement_fine_tuning_jobs,
reinforcement_fine_tuning_steps}.py`, `types/supervised_fine_tuning_job.py`, `_client.py`; the documentation of `firectl
cancel`. Not confirmed against the service: the errors for a missing job, and for a cancel of a job that has ended; what
`JOB_STATE_IDLE` means.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime
from functools import partial
from types import MappingProxyType
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BaseModel, Field

from reconciler.plugin import (
    UNSET,
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
    Transport,
    Unset,
    clean,
)
from reconciler.plugin.answers import field, instant, name_of, text, word
from reconciler.providers._json_api import bearer
from reconciler.providers._not_found import says_missing
from reconciler.providers._rest_jobs import RestApi, RestJobs, cursor_in, window_of

COLLECTIONS = ("supervisedFineTuningJobs", "dpoJobs", "reinforcementFineTuningJobs", "rlorTrainerJobs")
NOT_FOUND = 5
"""gRPC's code of a not-found error."""
STATES: Mapping[str, Phase] = {
    "JOB_STATE_CREATING_INPUT_DATASET": Phase.VALIDATING_FILES,
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
_ID = r"[a-z0-9][a-z0-9-]{0,62}"
"""Matches an id. The pattern excludes `-` alone, which means any id in some APIs of this design."""
_NAME = re.compile(rf"(?:accounts/(?P<account>{_ID})/)?(?:(?P<collection>{'|'.join(COLLECTIONS)})/)?(?P<bare>{_ID})")
_JOB = "(supervised|dpo|reinforcement|rlor|fine|tuning|trainer|[ -])*job"
"""Matches the service's words for a job in a not-found error, such as `dpo job` and `DpoJob`."""


class FireworksOptions(Document):
    """The Fireworks account of the jobs."""

    account: Annotated[str, Field(pattern=f"^{_ID}$")] = Field(description="ID of the Fireworks account.")


class FireworksJobs:
    """The jobs of all collections of one account."""

    def __init__(self, transport: Transport, credentials: Credentials, account: str) -> None:
        self._jobs = {name: RestJobs(transport, credentials, _api(account, name)) for name in COLLECTIONS}

    async def list_page(self, query: ListQuery, cursor: str | None) -> JobPage:
        """Return one page, which contains jobs of one collection. A cursor names the collection of the next page.

        Raises the errors of `RestJobs.list_page`.
        """
        name, _, token = (cursor or COLLECTIONS[0]).partition(" ")
        page = await self._jobs[name].list_page(query, token or None)
        if page.next_cursor is not None:
            return replace(page, next_cursor=f"{name} {page.next_cursor}")
        following = COLLECTIONS.index(name) + 1
        return replace(page, next_cursor=COLLECTIONS[following] if following < len(COLLECTIONS) else None)

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return the job, or None if Fireworks reports that it does not exist.

        Raises the errors of `RestJobs.get_job`, and `PermanentError(invalid)` for an id that is not `COLLECTION/ID`.
        """
        return await self._collection(ref).get_job(ref)

    async def cancel_job(self, ref: JobRef) -> Accepted | AlreadyOver:
        """Request a cancel, as `RestJobs.cancel_job` does.

        Raises the errors of `RestJobs.cancel_job`, and `PermanentError(invalid)` for an id that is not `COLLECTION/ID`.
        """
        return await self._collection(ref).cancel_job(ref)

    def _collection(self, ref: JobRef) -> RestJobs:
        """Return the collection of a job. Raises `PermanentError(invalid)` for an id that is not canonical."""
        found = _NAME.fullmatch(ref.id)
        if found is None or found["account"] is not None or found["collection"] is None:
            msg = f"{clean(ref.id)!r} is not an id with one of the collections {', '.join(COLLECTIONS)}"
            raise PermanentError(msg, kind=Kind.INVALID)
        return self._jobs[found["collection"]]


def _api(account: str, collection: str) -> RestApi:
    return RestApi(
        path=f"/v1/accounts/{account}/{collection}",
        rows=collection,
        headers=bearer,
        window=window_of("pageSize", "pageToken"),
        next_cursor=cursor_in("nextPageToken"),
        job=partial(_job, account, collection),
        is_missing=partial(_is_missing, account),
        cancel=":cancel",
        cancel_body={},
        path_of=_path_of,
        may_omit_rows=True,
    )


def _path_of(ref: JobRef) -> str:
    return f"/{quote(ref.id.partition('/')[2], safe='')}"


def _job(account: str, collection: str, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    state = word(row.get("state"))
    phase = STATES.get(state, Phase.UNKNOWN)
    return ObservedJob(
        id=f"{collection}/{_bare_id(name_of(row, 'name'), account, collection)}",
        phase=phase,
        provider_status=state,
        model=_configured(row, "baseModel"),
        fine_tuned_model=_configured(row, "outputModel") if phase is Phase.SUCCEEDED else None,
        created_at=field(row, "createTime", instant),
        finished_at=field(row, "completedTime", instant),
        error=field(row, "status", _error) if phase is Phase.FAILED else None,
        as_of=at,
    )


def _bare_id(name: str, account: str, collection: str) -> str:
    """Return the bare id in a resource name.

    Raises `PermanentError(missing)` if it names another account, and `PermanentError(invalid)` if it names no job of
    the collection.
    """
    found = _NAME.fullmatch(name)
    if found is None or found["collection"] != collection:
        msg = f"the provider returned {clean(name)!r}, which is not the name of a job in {collection}"
        raise PermanentError(msg, kind=Kind.INVALID)
    if found["account"] != account:
        msg = (
            f"the response is for the account {found['account']}, but the options name {account}: correct the "
            "provider's options"
        )
        raise PermanentError(msg, kind=Kind.MISSING)
    return found["bare"]


def _configured(row: Mapping[str, Any], key: str) -> str | None | Unset:
    """Return a field of a job or of its `trainingConfig`. None if it is empty, and `UNSET` if neither contains it."""
    own = field(row, key, text)
    found = field(row, f"trainingConfig.{key}", text) if own is UNSET else own
    return found or None


def _error(value: Any) -> JobError | None:
    message = text(value.get("message")) if isinstance(value, dict) else None
    return JobError(code=text(value.get("code")), message=message) if message else None


def _is_missing(account: str, body: Mapping[str, Any], ref: JobRef) -> bool:
    """Return whether an error is about this job, which its message names by the resource name or the bare id."""
    message = body.get("message")
    if body.get("code") != NOT_FOUND or not isinstance(message, str):
        return False
    bare = replace(ref, id=ref.id.rpartition("/")[2])
    told = re.sub(rf"(?<![\w/-])accounts/{account}/{re.escape(ref.id)}(?![\w/-])", bare.id, message)
    return says_missing(told, bare, _JOB)


class FireworksType:
    """The provider type `fireworks`: the fine-tuning jobs of one account."""

    name = "fireworks"
    options = FireworksOptions
    id_pattern = rf"(accounts/{_ID}/)?(({'|'.join(COLLECTIONS)})/)?{_ID}"
    key_variable = "FIREWORKS_API_KEY"
    has_whole_key = True
    url_variables = ("FIREWORKS_BASE_URL",)
    option_variables: Mapping[str, tuple[str, ...]] = MappingProxyType({"account": ("FIREWORKS_ACCOUNT_ID",)})
    finds_credentials = False
    capabilities = Capabilities(
        has_whole_rows=True,
        page_size_max=200,
        list_order="by name, one collection after another",
        filters=("an expression (AIP-160)",),
    )
    rate = Rate()

    def canonical_id(self, job_id: str, options: BaseModel) -> str:
        """Return the job id in its canonical form: `COLLECTION/ID`.

        Raises `ValueError` if the id does not name a collection, or if it is a resource name of another account.
        """
        own = FireworksOptions.model_validate(options).account
        found = _NAME.fullmatch(job_id)
        if found is None or found["collection"] is None:
            names = ", ".join(f"{collection}/ID" for collection in COLLECTIONS)
            msg = f"{job_id!r} does not name the collection of the job: write one of {names}"
            raise ValueError(msg)
        if found["account"] not in (None, own):
            msg = (
                f"{job_id!r} is not a job of accounts/{own}, the account in the provider's options: correct one of them"
            )
            raise ValueError(msg)
        return f"{found['collection']}/{found['bare']}"

    def scope(self, options: BaseModel) -> tuple[tuple[str, str], ...]:
        """Return the account, which distinguishes accounts with the same address."""
        return (("account", FireworksOptions.model_validate(options).account),)

    def own_url(self, options: BaseModel) -> str:  # noqa: ARG002 - the port's signature
        """Return the address of the service."""
        return "https://api.fireworks.ai"

    @asynccontextmanager
    async def open(
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[FireworksJobs]:
        """Yield the adapter for the fine-tuning jobs of the account."""
        yield FireworksJobs(transport, credentials, FireworksOptions.model_validate(config.options).account)


FIREWORKS: ProviderType = FireworksType()
