"""The batches of the sandbox as JSON objects of OpenAI's published batch API.

Source: openai-python 3.57.0 `types/batch.py`. Times are Unix seconds. A batch that failed with the code `expired` is
shown as expired.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from reconciler.model.job import Phase
from reconciler.sandbox.config import DeclaredBatch
from reconciler.sandbox.world import JobView

WINDOW = timedelta(hours=24)
"""The completion window, from which `expires_at` is computed. The sandbox does not enforce it."""
EXPIRED = "expired"
_WORDS = {
    Phase.VALIDATING_FILES: "validating",
    Phase.QUEUED: "validating",
    Phase.RUNNING: "in_progress",
    Phase.CANCELLING: "cancelling",
    Phase.SUCCEEDED: "completed",
    Phase.FAILED: "failed",
    Phase.CANCELLED: "cancelled",
}
_ENDS = ("completed", "failed", EXPIRED, "cancelled")


def batch(view: JobView) -> dict[str, Any]:
    """Return the `batch` object that the API shows for a batch at the time of the view."""
    declared = DeclaredBatch.model_validate(view.job)
    word, ended_at = _word(view, declared), view.finished_at
    done = _done(view, declared)
    failed = declared.failed_requests if view.phase is Phase.SUCCEEDED else 0
    used = declared.tokens * done // declared.requests
    return {
        "id": view.job.id,
        "object": "batch",
        "endpoint": declared.endpoint,
        "model": view.job.model,
        "errors": _errors(declared) if word == "failed" else None,
        "input_file_id": declared.input_file_id,
        "completion_window": "24h",
        "status": word,
        "output_file_id": f"file-out-{view.job.id}" if ended_at and done else None,
        "error_file_id": f"file-errors-{view.job.id}" if ended_at and failed else None,
        "created_at": _seconds(view.created_at),
        "in_progress_at": _begun(view, Phase.RUNNING),
        "expires_at": _seconds(view.created_at + WINDOW),
        "finalizing_at": None,
        "cancelling_at": _begun(view, Phase.CANCELLING),
        **{f"{each}_at": _seconds(ended_at) if ended_at and word == each else None for each in _ENDS},
        "request_counts": {"total": declared.requests, "completed": done - failed, "failed": failed},
        "usage": _usage(used),
        "metadata": view.job.metadata or None,
    }


def _word(view: JobView, declared: DeclaredBatch) -> str:
    is_expired = view.phase is Phase.FAILED and declared.error.code == EXPIRED
    return EXPIRED if is_expired else _WORDS[view.phase]


def _done(view: JobView, declared: DeclaredBatch) -> int:
    """Return the number of finished requests: all if the batch succeeded, otherwise in proportion to its run time."""
    if view.phase is Phase.SUCCEEDED:
        return declared.requests
    planned = sum((each.for_ for each in declared.life if each.phase is Phase.RUNNING and each.for_), timedelta())
    ends = [step.at for step in view.steps[1:]] + [view.seen_at]
    ran = sum(
        (end - step.at for step, end in zip(view.steps, ends, strict=True) if step.phase is Phase.RUNNING), timedelta()
    )
    return min(declared.requests, int(declared.requests * (ran / planned))) if planned else 0


def _usage(tokens: int) -> dict[str, Any]:
    return {
        "input_tokens": tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 0,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": tokens,
    }


def _errors(declared: DeclaredBatch) -> dict[str, Any]:
    error = declared.error
    return {
        "object": "list",
        "data": [{"code": error.code, "line": None, "message": error.message, "param": error.param}],
    }


def _begun(view: JobView, phase: Phase) -> int | None:
    return next((_seconds(step.at) for step in view.steps if step.phase is phase), None)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
