"""The batches of the Gemini API, which accepts an API key. Batches of Vertex AI belong to the type `vertex-ai`.

- A batch is an operation. Its `metadata` contains the state, the times and the counts. A count is a JSON string.
- The names of the states begin with `BATCH_STATE_` or with `JOB_STATE_`. Both prefixes have the same meaning.
- An operation that is done and has an error has ended, even if its state still shows it as running. Code 1 means that
  the batch was cancelled.
- The API has no status for a batch that is being cancelled. Therefore an accepted cancel without a visible effect is
  repeated only after half an hour.
- A batch that is not completed within 48 hours expires and has no results. It counts as failed.

Sources: google-genai 3.6.1 `batches.py`, `types.py`; litellm 1.110.2 `llms/gemini/batches/transformation.py` for the
counts; the samples in Google's documentation of the Batch API, which compare the state with `JOB_STATE_SUCCEEDED`, and
google-genai, which reads `BATCH_STATE_SUCCEEDED`. Not confirmed against the service: which of the two names it returns,
that the error of a cancelled batch has the code 1, and the errors for a missing batch and for a cancel of a batch that
has ended.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from reconciler.plugin import (
    BATCH_JOB,
    TERMINAL,
    Capabilities,
    JobCounts,
    JobError,
    JobRef,
    ObservedJob,
    Phase,
    ProviderType,
)
from reconciler.plugin.answers import field, instant, name_of, text, word
from reconciler.providers._json_api import count_in_text
from reconciler.providers._not_found import BATCH, says_missing
from reconciler.providers._rest_jobs import RestApi, cursor_in, window_of
from reconciler.providers._rest_service import RestCollection, RestService

_EXPIRED = "EXPIRED"
_PHASES: Mapping[str, Phase] = {
    "PENDING": Phase.QUEUED,
    "RUNNING": Phase.RUNNING,
    "SUCCEEDED": Phase.SUCCEEDED,
    "FAILED": Phase.FAILED,
    "CANCELLED": Phase.CANCELLED,
    _EXPIRED: Phase.FAILED,
}
_STATE = re.compile(rf"(?:BATCH|JOB)_STATE_({'|'.join(_PHASES)})")
_CANCELLED_CODE = 1
"""The code of the error of an operation that was cancelled."""
_PREFIX = "batches/"
_WRONG_KEY = "API key not valid"


def _headers(token: str) -> Mapping[str, str]:
    return {"x-goog-api-key": token} if token else {}


def _bare_id(job_id: str) -> str:
    return job_id.removeprefix(_PREFIX)


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    metadata = row.get("metadata")
    facts: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
    state = word(facts.get("state"))
    named = _STATE.fullmatch(state)
    phase = _phase(named[1], row) if named else Phase.UNKNOWN
    return ObservedJob(
        id=_bare_id(name_of(row, "name")),
        phase=phase,
        provider_status=state,
        model=field(facts, "model", text),
        created_at=field(facts, "createTime", instant),
        finished_at=field(facts, "endTime", instant),
        counts=field(facts, "batchStats", _counts),
        error=_error(row.get("error"), phase, has_expired=named is not None and named[1] == _EXPIRED),
        as_of=at,
    )


def _phase(state: str, row: Mapping[str, Any]) -> Phase:
    """Return the phase of a batch. An operation that is done and has an error has ended, even if its state is older."""
    phase, error = _PHASES[state], row.get("error")
    if phase in TERMINAL or row.get("done") is not True or not isinstance(error, dict) or not error:
        return phase
    return Phase.CANCELLED if error.get("code") == _CANCELLED_CODE else Phase.FAILED


def _counts(value: Any) -> JobCounts | None:
    if not isinstance(value, dict):
        return None
    keys = ("requestCount", "successfulRequestCount", "failedRequestCount")
    return JobCounts(*(count_in_text(value.get(key)) for key in keys))


def _error(value: Any, phase: Phase, *, has_expired: bool) -> JobError | None:
    if has_expired:
        return JobError(code="expired", message="expired: not completed within 48 hours, and without results")
    if not isinstance(value, dict) or phase is not Phase.FAILED:
        return None
    return JobError(code=word(value.get("code")), message=text(value.get("message")))


def _error_of(body: Mapping[str, Any]) -> Mapping[str, Any]:
    error = body.get("error")
    return error if isinstance(error, dict) else {}


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    error = _error_of(body)
    return error.get("status") == "NOT_FOUND" and says_missing(str(error.get("message")), ref, BATCH)


def _is_denied(body: Mapping[str, Any]) -> bool:
    return str(_error_of(body).get("message")).startswith(_WRONG_KEY)


GEMINI: ProviderType = RestService(
    name="gemini",
    key_variable="GEMINI_API_KEY",
    url_variables=("GOOGLE_GEMINI_BASE_URL",),
    address="https://generativelanguage.googleapis.com",
    collections={
        BATCH_JOB: RestCollection(
            api=RestApi(
                path="/v1/batches",
                rows="operations",
                headers=_headers,
                window=window_of("pageSize", "pageToken"),
                next_cursor=cursor_in("nextPageToken"),
                job=_job,
                is_missing=_is_missing,
                cancel=":cancel",
                may_omit_rows=True,
                is_denied=_is_denied,
            ),
            id_pattern=r"(batches/)?[A-Za-z0-9_-]{1,128}",
            bare_id=_bare_id,
            capabilities=Capabilities(has_whole_rows=True, page_size_max=100, cancel_takes=timedelta(minutes=30)),
        )
    },
)
