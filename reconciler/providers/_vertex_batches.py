"""Vertex AI's batch prediction jobs.

- A cancel is best effort. The results that were written before it are kept and charged.
- A count is a JSON string.

Sources: google-genai 3.6.1 `batches.py`, `types.py`; google-cloud-aiplatform 2.7.0
`aiplatform_v1/types/batch_prediction_job.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from reconciler.plugin import Capabilities, JobCounts, JobError, ObservedJob, Phase, Unset
from reconciler.plugin.answers import field, instant, text, word
from reconciler.providers._json_api import count_in_text
from reconciler.providers._vertex_collection import STATES, VertexCollection, error_of

_EXPIRED = "JOB_STATE_EXPIRED"
BATCH_CAPABILITIES = Capabilities(
    cancel_keeps="the results written so far, in the output location",
    has_whole_rows=True,
    page_size_max=100,
    filters=("an expression in Google's syntax",),
)


def _job(row: Mapping[str, Any], bare_id: str, at: datetime | None) -> ObservedJob:
    state = word(row.get("state"))
    counts = field(row, "completionStats", _counts)
    error = field(row, "error", error_of)
    if state == _EXPIRED:
        done = str(counts) if isinstance(counts, JobCounts) else ""
        error = JobError(code="expired", message=f"expired: {done or 'not completed in time'}")
    return ObservedJob(
        id=bare_id,
        phase=STATES.get(state, Phase.UNKNOWN),
        provider_status=state,
        model=field(row, "model", text),
        output_file=_output(row),
        created_at=field(row, "createTime", instant),
        started_at=field(row, "startTime", instant),
        finished_at=field(row, "endTime", instant),
        counts=counts,
        error=error,
        as_of=at,
    )


def _output(row: Mapping[str, Any]) -> str | None | Unset:
    directory = field(row, "outputInfo.gcsOutputDirectory", text)
    return directory if isinstance(directory, str) else field(row, "outputInfo.bigqueryOutputTable", text)


def _counts(value: Any) -> JobCounts | None:
    if not isinstance(value, dict):
        return None
    done, failed, left = (_number(value.get(f"{each}Count")) for each in ("successful", "failed", "incomplete"))
    total = done + failed + left if done is not None and failed is not None and left is not None else None
    return JobCounts(total=total, done=done, failed=failed)


def _number(value: Any) -> int | None:
    """Return the count in a JSON string, or None if the string has no count. Google leaves out a count that is 0."""
    return 0 if value is None else count_in_text(value)


BATCHES = VertexCollection(name="batchPredictionJobs", noun="batch ?prediction ?job", read=_job)
