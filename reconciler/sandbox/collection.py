"""The collections of OpenAI's API that the sandbox serves: fine-tuning jobs and batches, with their routes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus

from starlette.responses import Response

from reconciler.sandbox import serialization
from reconciler.sandbox.batch_serialization import batch
from reconciler.sandbox.faults import Operation
from reconciler.sandbox.responses import error_response
from reconciler.sandbox.world import JobView


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of jobs.

    Args:
        path: the path of its list.
        routes: the method of each route, its path relative to `path`, and its operation.
        show: returns the JSON object of a job.
        absence: returns the response for an id that no job has.
        refusal: the status of the response to a refused cancel, for example of a job that has ended.
        required: the parameters that a create must contain.
        used: the parameters of a create that set properties of the new job.
    """

    path: str
    routes: tuple[tuple[str, str, Operation], ...]
    show: Callable[[JobView], serialization.Json]
    absence: Callable[[str], Response]
    refusal: HTTPStatus
    required: tuple[str, ...]
    used: tuple[str, ...]


def _no_such_job(job_id: str) -> Response:
    message = f"Could not find fine tune: {job_id}"
    return error_response(404, message, param="fine_tuning_job_id", code="fine_tune_not_found")


def _no_such_batch(job_id: str) -> Response:
    return error_response(404, f"No batch found with id '{job_id}'.")


FINE_TUNING_JOBS = Collection(
    path="/v1/fine_tuning/jobs",
    routes=(
        ("GET", "", Operation.LIST),
        ("POST", "", Operation.CREATE),
        ("GET", "/{job_id}", Operation.RETRIEVE),
        ("POST", "/{job_id}/cancel", Operation.CANCEL),
        ("POST", "/{job_id}/pause", Operation.PAUSE),
        ("POST", "/{job_id}/resume", Operation.RESUME),
        ("GET", "/{job_id}/events", Operation.EVENTS),
        ("GET", "/{job_id}/checkpoints", Operation.CHECKPOINTS),
    ),
    show=serialization.job,
    absence=_no_such_job,
    refusal=HTTPStatus.BAD_REQUEST,
    required=("model", "training_file"),
    used=("model", "training_file", "validation_file", "suffix", "metadata", "seed"),
)
BATCHES = Collection(
    path="/v1/batches",
    routes=(
        ("GET", "", Operation.LIST),
        ("POST", "", Operation.CREATE),
        ("GET", "/{job_id}", Operation.RETRIEVE),
        ("POST", "/{job_id}/cancel", Operation.CANCEL),
    ),
    show=batch,
    absence=_no_such_batch,
    refusal=HTTPStatus.CONFLICT,
    required=("input_file_id", "endpoint", "completion_window"),
    used=("input_file_id", "endpoint", "metadata"),
)
