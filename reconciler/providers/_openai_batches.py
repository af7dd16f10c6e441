"""Batches in OpenAI's API and in compatible APIs: list, retrieve and cancel.

- A cancel is refused with HTTP 409 if the batch has ended.
- A cancel takes about ten minutes, even if no request was finished. During that time the batch is `cancelling`.
- A batch that exceeds its completion window is `expired`, which counts as failed.
- After a cancel or an expiry, the output file contains the results of the finished requests, which are charged.

Sources: openai-python 3.57.0 `types/batch.py`, `types/batch_usage.py`, `resources/batches.py`; recordings of cancels in
public test suites (2025-03-14). Not confirmed against the service: the body of a not-found error.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from reconciler.plugin import UNSET, Capabilities, JobCounts, JobError, ObservedJob, Phase, Unset
from reconciler.plugin.answers import count, name_of, seconds, text, word
from reconciler.plugin.answers import field as read
from reconciler.providers._openai_collection import Dialect, OpenAICollection

EXPIRED = "expired"
STATUSES: Mapping[str, Phase] = MappingProxyType(
    {
        "validating": Phase.VALIDATING_FILES,
        "in_progress": Phase.RUNNING,
        "finalizing": Phase.RUNNING,
        "completed": Phase.SUCCEEDED,
        "failed": Phase.FAILED,
        EXPIRED: Phase.FAILED,
        "cancelling": Phase.CANCELLING,
        "cancelled": Phase.CANCELLED,
    }
)
"""The eight statuses that OpenAI documents, with their phases."""
BATCH_WORDS = ("batch",)
BATCHES = Dialect(jobs_path="/batches", statuses=STATUSES, job_words=BATCH_WORDS)
"""OpenAI's own dialect for batches."""
BATCH_ID_PATTERN = r"(?!ftjob-)(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._:-]{0,127}"
"""Matches the ids of batches at OpenAI and compatible services, but not the ids of OpenAI's fine-tuning jobs."""
CAPABILITIES = Capabilities(
    cancel_keeps="the results of the finished requests, in the output file",
    cancel_costs="the finished requests",
    has_whole_rows=True,
    page_size_max=100,
)
"""What OpenAI documents for its batches."""
_ENDS = ("completed_at", "failed_at", "expired_at", "cancelled_at")


class OpenAIBatches(OpenAICollection):
    """A `JobController` for the batches of one account."""

    def _job(self, row: Mapping[str, Any], at: datetime | None) -> ObservedJob:
        status = row.get("status")
        counts = read(row, "request_counts", _counts)
        return ObservedJob(
            id=name_of(row, "id"),
            phase=self._phase(status),
            provider_status=word(status),
            model=read(row, "model", text),
            output_file=read(row, "output_file_id", text),
            created_at=read(row, "created_at", seconds),
            started_at=read(row, "in_progress_at", seconds),
            finished_at=_end(row),
            expires_at=read(row, "expires_at", seconds),
            counts=counts,
            tokens=read(row, "usage", _tokens),
            error=_expiry(counts) if status == EXPIRED else read(row, "errors", _error),
            as_of=at,
        )


def _end(row: Mapping[str, Any]) -> datetime | None | Unset:
    """Return the end time of a batch: the first of its four end times that is set.

    Return None if none is set or readable, and `UNSET` if the row contains none of these fields.
    """
    given = [row[key] for key in _ENDS if key in row]
    return next((at for at in map(seconds, given) if at is not None), None) if given else UNSET


def _counts(value: Any) -> JobCounts | None:
    if not isinstance(value, dict):
        return None
    return JobCounts(count(value.get("total")), count(value.get("completed")), count(value.get("failed")))


def _tokens(value: Any) -> int | None:
    return count(value.get("total_tokens")) if isinstance(value, dict) else None


def _expiry(counts: JobCounts | None | Unset) -> JobError:
    done = str(counts) if isinstance(counts, JobCounts) else ""
    return JobError(code=EXPIRED, message=f"expired: {done or 'not completed in time'}")


def _error(value: Any) -> JobError | None:
    """Return the first error of a batch, or None. In Azure's API specification, `data` is one error and not a list."""
    rows = value.get("data") if isinstance(value, dict) else None
    first = rows[0] if isinstance(rows, list) and rows else rows
    if not isinstance(first, dict):
        return None
    error = JobError(code=text(first.get("code")), message=text(first.get("message")), param=text(first.get("param")))
    return error if error.code or error.message else None
