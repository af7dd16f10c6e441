"""Cohere's batches. Cohere's fine-tuning API is not used, because it has been retired.

- A list contains the batches of the key's user, and not those of the whole organisation.
- The response to a retrieve contains the batch in `batch`. The response to an accepted cancel is empty.
- Only a batch that is queued or in progress can be cancelled.
- A completed batch may lack some results. Its counts show how many records succeeded.
- The API has no time at which a batch ended. `updated_at` is not one, so it is not read.
- The numbers of tokens are JSON strings. The adapter reports their sum.
- The client reads `CO_API_URL` and removes `/v1` from an address at cohere.com. The adapter uses the address as it is.

Sources: cohere 7.3.1 `batches/raw_client.py`, `batches/types/{batch,batch_status,get_batch_response,
list_batches_response}.py`, `environment.py`, `client.py`; docs.cohere.com, `reference/{list-batches,get-batch,
cancel-batch}`, and `changelog/2025-09-15-major-command-deprecations` for the fine-tuning API; cohere-ai/
cohere-developer-experience (2026-08-20) `cohere-openapi.yaml`, and `notebooks/guides/Batch_Inference_with_Cohere.ipynb`
with the output of a run, for the ids and for which batches can be cancelled. Not confirmed against the service: the
message of the error for a missing batch; the error for a cancel of a batch that has ended or is being cancelled; that
every id is a UUID; the direction of `order_by`; whether an empty list has `batches`; what a cancelled batch keeps and
costs; the word `BATCH_STATUS_CANCELLED`, which only the notebook contains.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import (
    BATCH_JOB,
    UNSET,
    Capabilities,
    JobCounts,
    JobError,
    JobRef,
    ObservedJob,
    Phase,
    ProviderType,
    Unset,
)
from reconciler.plugin.answers import count, field, instant, name_of, text, word
from reconciler.providers._json_api import bearer, count_in_text
from reconciler.providers._not_found import BATCH, says_missing
from reconciler.providers._rest_jobs import RestApi, cursor_in, window_of
from reconciler.providers._rest_service import RestCollection, RestService

STATUSES: Mapping[str, Phase] = {
    "BATCH_STATUS_QUEUED": Phase.QUEUED,
    "BATCH_STATUS_IN_PROGRESS": Phase.RUNNING,
    "BATCH_STATUS_CANCELING": Phase.CANCELLING,
    "BATCH_STATUS_COMPLETED": Phase.SUCCEEDED,
    "BATCH_STATUS_FAILED": Phase.FAILED,
    "BATCH_STATUS_CANCELED": Phase.CANCELLED,
}
_PHASES: Mapping[str, Phase] = {**STATUSES, "BATCH_STATUS_CANCELLED": Phase.CANCELLED}
"""The documented statuses, and a spelling that only a notebook contains."""
_NUMBERS = ("num_records", "num_successful_records", "num_failed_records")
_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")


def _bare_id(job_id: str) -> str:
    """Return a UUID in lower case, as the service returns it, and any other id unchanged."""
    return job_id.lower() if _UUID.fullmatch(job_id) else job_id


def _job(body: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    """Return the batch in a list row, or in the response to a retrieve."""
    inner = body.get("batch")
    row: Mapping[str, Any] = inner if isinstance(inner, dict) else body
    status = word(row.get("status"))
    reason = text(row.get("status_reason"))
    return ObservedJob(
        id=name_of(row, "id"),
        phase=_PHASES.get(status, Phase.UNKNOWN),
        provider_status=status,
        model=field(row, "model", text),
        output_file=field(row, "output_dataset_id", _dataset),
        created_at=field(row, "created_at", instant),
        counts=JobCounts(*(count(row.get(name)) for name in _NUMBERS)),
        tokens=_tokens(row),
        error=JobError(message=reason) if reason and _PHASES.get(status) is Phase.FAILED else None,
        as_of=at,
    )


def _dataset(value: Any) -> str | None:
    """Return the id of a dataset, or None if it is empty, as it is until the results of a batch are written."""
    return text(value) or None


def _tokens(row: Mapping[str, Any]) -> int | None | Unset:
    read, written = (field(row, name, count_in_text) for name in ("input_tokens", "output_tokens"))
    if read is UNSET and written is UNSET:
        return UNSET
    return read + written if isinstance(read, int) and isinstance(written, int) else None


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    message = body.get("message")
    return isinstance(message, str) and says_missing(message, ref, BATCH)


COHERE: ProviderType = RestService(
    name="cohere",
    key_variable="CO_API_KEY",
    url_variables=("CO_API_URL",),
    address="https://api.cohere.com",
    collections={
        BATCH_JOB: RestCollection(
            api=RestApi(
                path="/v2/batches",
                rows="batches",
                headers=bearer,
                window=window_of("page_size", "page_token", order_by="created_at"),
                next_cursor=cursor_in("next_page_token"),
                job=_job,
                is_missing=_is_missing,
                cancel=":cancel",
                may_omit_rows=True,
            ),
            id_pattern=r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}",
            bare_id=_bare_id,
            capabilities=Capabilities(has_whole_rows=True, page_size_max=1000, list_order="by creation time"),
        )
    },
)
