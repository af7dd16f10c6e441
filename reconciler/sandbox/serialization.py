"""Fine-tuning jobs, events, checkpoints, pages and errors of the sandbox as JSON objects of OpenAI's published API.

Source: openai/openai-openapi, `openapi.yaml` 2.3.0. Times are Unix seconds. The status `paused` is in the example of a
pause there, although it is not in the list of statuses.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from reconciler.model.job import Phase
from reconciler.sandbox.config import DeclaredJob
from reconciler.sandbox.world import JobView

Json = dict[str, Any]

_EPOCHS = 3
_HYPERPARAMETERS = {"batch_size": 1, "learning_rate_multiplier": 1.0, "n_epochs": _EPOCHS}
_MESSAGES = {
    Phase.VALIDATING_FILES: "Validating training file",
    Phase.QUEUED: "Fine-tuning job is queued",
    Phase.RUNNING: "Fine-tuning job started",
    Phase.PAUSING: "Fine-tuning job is being paused",
    Phase.PAUSED: "Fine-tuning job paused",
    Phase.CANCELLING: "Fine-tuning job is being cancelled",
    Phase.SUCCEEDED: "The job has successfully completed",
    Phase.CANCELLED: "Fine-tuning job cancelled",
}


def job(view: JobView) -> Json:
    """Return the `fine_tuning.job` object that the API shows for a job at the time of the view."""
    declared = _job(view)
    is_failed = view.phase is Phase.FAILED
    is_succeeded = view.phase is Phase.SUCCEEDED
    return {
        "object": "fine_tuning.job",
        "id": view.job.id,
        "model": view.job.model,
        "created_at": _seconds(view.created_at),
        "finished_at": None if view.finished_at is None else _seconds(view.finished_at),
        "fine_tuned_model": _fine_tuned_model(view) if is_succeeded else None,
        "organization_id": "org-sandbox",
        "result_files": [f"file-results-{_tail(view)}"] if is_succeeded else [],
        "status": view.phase.value,
        "validation_file": declared.validation_file,
        "training_file": declared.training_file,
        "hyperparameters": _HYPERPARAMETERS,
        "trained_tokens": declared.trained_tokens if is_succeeded else None,
        "error": view.job.error.model_dump() if is_failed else None,
        "integrations": [],
        "seed": declared.seed,
        "estimated_finish": None if view.estimated_finish_at is None else _seconds(view.estimated_finish_at),
        "method": {"type": "supervised", "supervised": {"hyperparameters": _HYPERPARAMETERS}},
        "metadata": view.job.metadata or None,
    }


def events(view: JobView) -> list[Json]:
    """Return the `fine_tuning.job.event` objects of a job, newest first: its creation, and one for each phase."""
    created = (view.created_at, "info", f"Created fine-tuning job: {view.job.id}")
    phases = [
        (step.at, "error", view.job.error.message)
        if step.phase is Phase.FAILED
        else (step.at, "info", _MESSAGES[step.phase])
        for step in view.steps
    ]
    oldest_first = [
        {
            "object": "fine_tuning.job.event",
            "id": f"ftevent-{_tail(view)}-{number}",
            "created_at": _seconds(at),
            "level": level,
            "message": message,
            "data": {},
            "type": "message",
        }
        for number, (at, level, message) in enumerate([created, *phases], start=1)
    ]
    return oldest_first[::-1]


def checkpoints(view: JobView) -> list[Json]:
    """Return the `fine_tuning.job.checkpoint` objects, newest first: one for each epoch of a job that succeeded."""
    if view.phase is not Phase.SUCCEEDED or view.finished_at is None:
        return []
    return [
        {
            "object": "fine_tuning.job.checkpoint",
            "id": f"ftckpt-{_tail(view)}-{epoch}",
            "created_at": _seconds(view.finished_at),
            "fine_tuned_model_checkpoint": f"{_fine_tuned_model(view)}:ckpt-step-{epoch}",
            "fine_tuning_job_id": view.job.id,
            "metrics": {"step": epoch, "train_loss": 1 / epoch},
            "step_number": epoch,
        }
        for epoch in range(_EPOCHS, 0, -1)
    ]


def page(rows: Sequence[Json], *, has_more: bool) -> Json:
    """Return a `list` object. `has_more` is whether another page follows it.

    OpenAI documents `first_id` and `last_id` only for checkpoints; clients ignore them elsewhere.
    """
    return {
        "object": "list",
        "data": list(rows),
        "has_more": has_more,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }


def error(message: str, *, type_: str = "invalid_request_error", param: str | None = None, code: str | None) -> Json:
    """Return the body of an error response. If `param` or `code` is None, it is written as `null`."""
    return {"error": {"message": message, "type": type_, "param": param, "code": code}}


def _job(view: JobView) -> DeclaredJob:
    return DeclaredJob.model_validate(view.job)


def _fine_tuned_model(view: JobView) -> str:
    return f"ft:{view.job.model}:sandbox:{_job(view).suffix}:{_tail(view)}"


def _tail(view: JobView) -> str:
    return view.job.id.removeprefix("ftjob-")


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
