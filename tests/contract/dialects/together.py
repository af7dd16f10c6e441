"""Together AI, served from the sandbox.

Format: Together's SDK 3.1.1 `types/finetune_response.py` and `types/batch_job.py`.

Not confirmed: the responses to a request for a missing job or batch, and to a cancel of one that has ended.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.testing.transport_faults import HttpResponse
from tests.contract.dialects.batch_api import INSIDE, creation, ended_at, rfc3339
from tests.contract.dialects.translating_app import (
    ForeignApi,
    Json,
    SandboxRequest,
    ServiceResponse,
    Why,
    complaint,
)

_STATUSES = {
    "validating_files": "pending",
    "queued": "queued",
    "running": "running",
    "cancelling": "cancel_requested",
    "succeeded": "completed",
    "failed": "error",
    "cancelled": "cancelled",
}
_BATCH_STATUSES = {
    "validating": "VALIDATING",
    "in_progress": "IN_PROGRESS",
    "cancelling": "IN_PROGRESS",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}


_BATCH_SIZES = {"max_batch_size": 8, "max_batch_size_dpo": 8, "min_batch_size": 8}
_BEFORE_A_CREATE: Mapping[str, Json] = {
    "/models/limits": {
        "model_name": "m",
        "default_gradient_accumulation_steps": 1,
        "full_training": _BATCH_SIZES,
        "lora_training": {**_BATCH_SIZES, "default_rank": 64, "max_rank": 64, "target_modules": ["q_proj"]},
        "max_learning_rate": 1,
        "min_learning_rate": 0,
        "max_num_checkpoints": 9,
        "max_num_epochs": 9,
        "max_num_evals": 9,
        "max_seq_length_dpo": 8192,
        "max_seq_length_sft": 8192,
        "min_max_seq_length": 512,
        "merge_output_lora": True,
        "supports_full_training": True,
        "supports_reasoning": False,
        "supports_tools": False,
        "supports_vision": False,
    },
    "/estimate-price": {"estimation_available": False, "unavailable_reason": "train_file_not_validated"},
}
"""The responses to the client's requests before it creates a job: the limits of the model, and the price."""


def job_id(inner: str) -> str:
    """Return the service's ID of a job of the sandbox."""
    return f"ft-{inner.removeprefix('ftjob-')}"


class _Together(ForeignApi):
    """Together's key, paths and errors. A list has no pages."""

    root: ClassVar[str]
    what: ClassVar[str]

    def inner_path(self, path: str) -> str:
        """Return the path at the sandbox, relative to its list of jobs."""
        return path

    @abstractmethod
    def new(self, path: str, body: bytes) -> Json | None:
        """Return the sandbox's request for a new job; None for any other request."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/batches/batch_1/cancel`."""
        path = request.url.path.removeprefix(self.root)
        refusal = complaint(
            401, message="Invalid API key provided", type="invalid_request_error", param=None, code=None
        )
        if not request.url.path.startswith(self.root):
            return complaint(404, message="Not found", type="invalid_request_error", param=None, code=None)
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(
            self.inner_path(path),
            query={"limit": "100"},
            body=self.new(path, body),
            refusal=None if is_known_key else refusal,
        )

    def accepted(self, row: Json) -> Json:
        """Return the job as the body of the response to a cancel."""
        return self.row(row)

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in OpenAI's format, which Together uses too."""
        message = f"{self.what} not found." if why is Why.NO_SUCH_JOB else said
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return ServiceResponse(status, {"error": error})


class Together(_Together):
    """The fine-tuning jobs, with their events and checkpoints."""

    root = "/v1/fine-tunes"
    what = "Fine-tune ID"

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Respond to the client's requests before it creates a job, and translate any other request."""
        before = _BEFORE_A_CREATE.get(request.url.path.removeprefix(self.root))
        return super().pass_on(request, body) if before is None else JSONResponse(before)

    def inner_path(self, path: str) -> str:
        """Return the path with the sandbox's id of the job."""
        job, slash, rest = path.removeprefix("/").partition("/")
        return f"/ftjob-{job.removeprefix('ft-')}{slash}{rest}" if job else ""

    def new(self, path: str, body: bytes) -> Json | None:
        """Return the sandbox's request for a new job; None for any other request."""
        if path or not body:
            return None
        asked = json.loads(body)
        return {name: asked[name] for name in ("model", "training_file")}

    def created(self, row: Json) -> Json:
        """Return a job in the format of the response to a create."""
        return {**self.row(row), "adapter_output_name": None}

    def job(self, row: Json) -> Json:
        """Return a retrieved job. It contains the name of the fine-tuned model even before that model exists."""
        failures = [{"type": "job_error", "message": row["error"]["message"]}] if row["status"] == "failed" else []
        started = {"type": "job_start", "message": "Job started", "level": "info"}
        return {
            **self.row(row),
            "token_count": row["trained_tokens"],
            "events": [
                {"object": "fine-tune-event", "created_at": rfc3339(row["created_at"]), **each}
                for each in (started, *failures)
            ],
        }

    def row(self, row: Json) -> Json:
        """Return a job in the format of a list row and of the response to a cancel."""
        return {
            "id": job_id(row["id"]),
            "status": _STATUSES.get(row["status"], row["status"]),
            "user_id": "user-1",
            "model": "meta-llama/Llama-4",
            "model_output_name": f"acme/Llama-4:{row['id']}",
            "created_at": rfc3339(row["created_at"]),
            "updated_at": rfc3339(row["finished_at"] or row["created_at"]),
        }

    def page(self, rows: list[Json], token: str | None) -> Json:  # noqa: ARG002 - there are no pages here
        """Return every row."""
        return {"data": rows}

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:
        """Return the response in Together's format. Lists of events and checkpoints are oldest first."""
        read = {"events": _event, "checkpoints": _checkpoint}.get(question.path.rpartition("/")[2])
        if read is None or said.body is None or said.body.get("object") != "list":
            return super().reword(said, question)
        return ServiceResponse(200, {"data": [read(each) for each in reversed(said.body["data"])]})


def _event(row: Json) -> Json:
    return {
        "object": "fine-tune-event",
        "type": "job_error" if row["level"] == "error" else "job_start",
        "level": row["level"],
        "message": row["message"],
        "created_at": rfc3339(row["created_at"]),
    }


def _checkpoint(row: Json) -> Json:
    step = row["step_number"]
    return {
        "step": step,
        "checkpoint_type": f"intermediate, step {step}",
        "path": f"s3://b/{step}",
        "created_at": rfc3339(row["created_at"]),
    }


class TogetherBatches(_Together):
    """The batches. A list is a bare array."""

    inside = INSIDE
    root = "/v1/batches"
    what = "Batch"

    def new(self, path: str, body: bytes) -> Json | None:
        """Return the sandbox's request for a new batch; None for any other request."""
        return creation(path, body, "input_file_id")

    def job(self, row: Json) -> Json:
        """Return a batch in Together's format."""
        return {
            "id": row["id"],
            "status": _BATCH_STATUSES.get(row["status"], row["status"]),
            "model_id": "meta-llama/Llama-4",
            "progress": row["request_counts"]["completed"],
            "created_at": rfc3339(row["created_at"]),
            "completed_at": rfc3339(ended_at(row)),
            "job_deadline": rfc3339(row["expires_at"]),
            "output_file_id": row["output_file_id"],
            "error": "bad line" if row["status"] == "failed" else None,
        }

    def created(self, row: Json) -> Json:
        """Return a batch, with an empty warning."""
        return {"job": self.job(row), "warning": None}

    def page(self, rows: list[Json], token: str | None) -> Json:  # noqa: ARG002 - there are no pages here
        """Return every row. `_reworded` replaces the object by the array of its rows."""
        return {"rows": rows}

    def _reworded(self, answer: HttpResponse, request: Request, question: SandboxRequest) -> HttpResponse:
        found = super()._reworded(answer, request, question)
        try:
            body = json.loads(found.body)
        except ValueError:
            return found
        is_list = isinstance(body, dict) and body.keys() == {"rows"}
        return replace(found, body=json.dumps(body["rows"]).encode()) if is_list else found


class BothKinds:
    """The service with the jobs of both kinds at one address."""

    def __init__(self, jobs: ASGIApp, batches: ASGIApp) -> None:
        self._jobs = jobs
        self._batches = batches

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on by its path."""
        app = self._batches if scope["path"].startswith(TogetherBatches.root) else self._jobs
        await app(scope, receive, send)
