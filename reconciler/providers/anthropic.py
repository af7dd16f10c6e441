"""Anthropic's message batches.

- A batch that is over has the status `ended`, whatever its outcome. The outcome is derived from the counts. The batch
  is cancelled if at least one of its requests was cancelled. It has failed if no request succeeded and some expired or
  failed. Otherwise it has succeeded.
- While a batch runs, every count except `processing` is 0, so only the sum of the counts is reported.
- A cancelled, expired or failed request is not charged.
- Requests are sent with version 2023-06-01 of the API, because most gateways support it.

Sources: anthropic 2.14.0 `types/messages/message_batch.py`, `resources/messages/batches.py`; the documentation of the
Message Batches API. Not confirmed against the service: the errors for a missing batch, and for a cancel of a batch that
has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import BATCH_JOB, Capabilities, JobCounts, JobError, JobRef, ObservedJob, Phase, ProviderType
from reconciler.plugin.answers import count, field, instant, name_of, text, word
from reconciler.providers._not_found import BATCH, says_missing
from reconciler.providers._rest_jobs import RestApi, window_of
from reconciler.providers._rest_service import RestCollection, RestService

VERSION = "2023-06-01"
ENDED = "ended"
_PHASES: Mapping[str, Phase] = {"in_progress": Phase.RUNNING, "canceling": Phase.CANCELLING}
_COUNTS = ("processing", "succeeded", "errored", "canceled", "expired")


def _headers(token: str) -> Mapping[str, str]:
    return {"anthropic-version": VERSION, **({"x-api-key": token} if token else {})}


def _next_cursor(body: Mapping[str, Any], jobs: tuple[ObservedJob, ...], _size: int, cursor: str | None) -> str | None:
    if body.get("has_more") is not True:
        return None
    # If an empty page has no last id, its own cursor is returned again, so that the list does not seem complete.
    last = body.get("last_id")
    return last if isinstance(last, str) and last else (jobs[-1].id if jobs else cursor or "")


def _job(row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
    status, counts = row.get("processing_status"), _counted(row.get("request_counts"))
    phase = _PHASES.get(status, Phase.UNKNOWN) if isinstance(status, str) else Phase.UNKNOWN
    error = None
    if status == ENDED and counts is not None:
        phase, error = _end(counts)
    return ObservedJob(
        id=name_of(row, "id"),
        phase=phase,
        provider_status=word(status),
        output_file=field(row, "results_url", text),
        created_at=field(row, "created_at", instant),
        finished_at=field(row, "ended_at", instant),
        expires_at=field(row, "expires_at", instant),
        counts=None if counts is None else _shown(counts, has_ended=status == ENDED),
        error=error,
        as_of=at,
    )


def _counted(value: Any) -> Mapping[str, int] | None:
    """Return the counts of a batch, or None if one of them cannot be read."""
    found = {name: count(value.get(name)) for name in _COUNTS} if isinstance(value, dict) else {}
    numbers = {name: each for name, each in found.items() if each is not None}
    return numbers if len(numbers) == len(_COUNTS) else None


def _end(counts: Mapping[str, int]) -> tuple[Phase, JobError | None]:
    """Return the phase of a batch that has ended, and its error, or None. Partial success has an error too."""
    if counts["canceled"]:
        return Phase.CANCELLED, None
    of = f"{counts['succeeded']:,} of {sum(counts.values()):,} done"
    for code in ("expired", "errored"):
        if counts[code]:
            message = f"{code}: {of}" if not counts["succeeded"] else f"{counts[code]:,} {code}"
            return Phase.SUCCEEDED if counts["succeeded"] else Phase.FAILED, JobError(code=code, message=message)
    return Phase.SUCCEEDED, None


def _shown(counts: Mapping[str, int], *, has_ended: bool) -> JobCounts:
    total = sum(counts.values())
    if not has_ended:
        return JobCounts(total=total)
    return JobCounts(total=total, done=counts["succeeded"], failed=counts["errored"] + counts["expired"])


def _is_missing(body: Mapping[str, Any], ref: JobRef) -> bool:
    error = body.get("error") if body.get("type") == "error" else None
    if not isinstance(error, dict) or error.get("type") != "not_found_error":
        return False
    # The same type of error is returned for a model, a workspace and a path that do not exist.
    return says_missing(str(error.get("message")), ref, BATCH)


ANTHROPIC: ProviderType = RestService(
    name="anthropic",
    key_variable="ANTHROPIC_API_KEY",
    url_variables=("ANTHROPIC_BASE_URL",),
    address="https://api.anthropic.com",
    collections={
        BATCH_JOB: RestCollection(
            api=RestApi(
                path="/v1/messages/batches",
                rows="data",
                headers=_headers,
                window=window_of("limit", "after_id"),
                next_cursor=_next_cursor,
                job=_job,
                is_missing=_is_missing,
            ),
            id_pattern=r"msgbatch_[A-Za-z0-9_-]{1,120}",
            capabilities=Capabilities(
                cancel_keeps="the results of the finished requests, for 29 days",
                cancel_costs="the requests that succeeded",
                has_whole_rows=True,
                page_size_max=1000,
                list_order="newest first",
            ),
        )
    },
)
