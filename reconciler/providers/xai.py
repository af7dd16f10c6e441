"""xAI's batches.

- The API has no status. The phase of a batch is derived from its counts and from the time of its cancel, by the first
  rule that applies:
  1. A batch that xAI itself cancelled has failed.
  2. A batch with pending requests is running, or cancelling if a cancel was requested.
  3. A batch with requests in no count is running or cancelling, as in rule 2.
  4. A batch is cancelled if at least one request was cancelled, or if a cancel was requested and it has no requests.
  5. A batch without requests is being validated.
  6. Any other batch has succeeded.
- The JSON may follow the rules of protocol buffers: a count of 0 is left out, and a time that is not set is in the
  year 1. The adapter reads a time of a cancel in the year 1 as no cancel.
- Times are dates without a time of day, so they are not read. Therefore `maxAge` and `maxQueued` cannot be checked, and
  the status reports that.

Sources: litellm 1.110.2 `llms/xai/batches`; xai-sdk 1.21.0 `batch.py`. Not confirmed against the service: all of this.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import BATCH_JOB, Capabilities, JobCounts, JobError, JobRef, ObservedJob, Phase, ProviderType
from reconciler.plugin.answers import count, name_of, text
from reconciler.providers._json_api import bearer
from reconciler.providers._not_found import BATCH, says_missing
from reconciler.providers._rest_jobs import RestApi, cursor_in, window_of
from reconciler.providers._rest_service import RestCollection, RestService

_DONE = ("num_success", "num_error", "num_cancelled")
_NO_TIME = "0001-01-01"
"""The beginning of a time that is not set."""
_NUMBERS = ("num_requests", "num_pending", *_DONE)


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    job_id, numbers, why = name_of(row, "batch_id"), _numbers(row.get("state")), text(row.get("cancel_by_xai_message"))
    if unread := [each for each in _NUMBERS if each not in numbers]:
        # The state itself is not reported, because its other counts change with the progress of the batch.
        return ObservedJob(id=job_id, phase=Phase.UNKNOWN, provider_status=f"no {unread[0]}", as_of=at)
    phase, state = _derived(numbers, was_cancelled=_is_set(row.get("cancel_time")), by_xai=bool(why))
    return ObservedJob(
        id=job_id,
        phase=phase,
        provider_status=state,
        counts=JobCounts(numbers["num_requests"], numbers["num_success"], numbers["num_error"]),
        error=JobError(message=why) if why else None,
        as_of=at,
    )


def _numbers(state: Any) -> Mapping[str, int]:
    """Return the counts of a batch that can be read. If `num_requests` is given, a count that is left out is 0."""
    if not isinstance(state, dict) or "num_requests" not in state:
        return {}
    found = {each: count(state.get(each, 0)) for each in _NUMBERS}
    return {name: each for name, each in found.items() if each is not None}


def _is_set(time: Any) -> bool:
    return bool(time) and not str(time).startswith(_NO_TIME)


def _derived(numbers: Mapping[str, int], *, was_cancelled: bool, by_xai: bool) -> tuple[Phase, str]:
    """Return the phase of a batch, and a text for it. The text contains no counts, so progress does not change it.

    `was_cancelled` is whether a cancel was requested, and `by_xai` whether xAI cancelled the batch itself.
    """
    under_way = (Phase.CANCELLING, "pending, cancelled") if was_cancelled else (Phase.RUNNING, "pending")
    if by_xai:
        return Phase.FAILED, "cancelled by xAI"
    if numbers["num_pending"] or sum(map(numbers.__getitem__, _DONE)) < numbers["num_requests"]:
        return under_way  # it is not documented whether a request that is being processed counts as pending
    if numbers["num_cancelled"] or (was_cancelled and not numbers["num_requests"]):
        return Phase.CANCELLED, "cancelled"
    if not numbers["num_requests"]:
        return Phase.VALIDATING_FILES, "without requests"
    return Phase.SUCCEEDED, "done"


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    message = body.get("error")
    return isinstance(message, str) and says_missing(message, ref, BATCH)


XAI: ProviderType = RestService(
    name="xai",
    key_variable="XAI_API_KEY",
    url_variables=(),
    address="https://api.x.ai",
    collections={
        BATCH_JOB: RestCollection(
            api=RestApi(
                path="/v1/batches",
                rows="batches",
                headers=bearer,
                window=window_of("limit", "pagination_token"),
                next_cursor=cursor_in("pagination_token"),
                job=_job,
                is_missing=_is_missing,
                cancel=":cancel",
            ),
            id_pattern=r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
            capabilities=Capabilities(has_whole_rows=True),
        )
    },
)
