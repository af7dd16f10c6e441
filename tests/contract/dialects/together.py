"""Together AI's batches over the sandbox, in the words of its SDK 3.1.1 `types/batch_job.py`.

What the service says about a missing batch, and to a cancel of one that has ended, is not confirmed.
"""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response

from reconciler.testing.transport_faults import HttpResponse
from tests.contract.dialects.batch_api import CancelledBatches, ended_at, rfc3339
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why, complaint

_ROOT = "/v1/batches"
_STATUSES = {
    "validating": "VALIDATING",
    "in_progress": "IN_PROGRESS",
    "cancelling": "IN_PROGRESS",
    "completed": "COMPLETED",
    "failed": "FAILED",
    "expired": "EXPIRED",
    "cancelled": "CANCELLED",
}


class Together(CancelledBatches):
    """Together's words; a list is a bare array."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Read a URL such as `/v1/batches/batch_1/cancel`."""
        path = request.url.path.removeprefix(_ROOT)
        refusal = complaint(
            401, message="Invalid API key provided", type="invalid_request_error", param=None, code=None
        )
        if not request.url.path.startswith(_ROOT):
            return complaint(404, message="Not found", type="invalid_request_error", param=None, code=None)
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(path, query={"limit": "100"}, refusal=None if is_known_key else refusal)

    def job(self, row: Json) -> Json:
        """Return a batch."""
        return {
            "id": row["id"],
            "status": _STATUSES.get(row["status"], row["status"]),
            "model_id": "meta-llama/Llama-4",
            "progress": row["request_counts"]["completed"],
            "created_at": rfc3339(row["created_at"]),
            "completed_at": rfc3339(ended_at(row)),
            "job_deadline": rfc3339(row["expires_at"]),
            "output_file_id": row["output_file_id"],
            "error": "bad line" if row["status"] == "failed" else None,
        }

    def created(self, row: Json) -> Json:
        """Return a batch with a warning, of which there is none."""
        return {"job": self.job(row), "warning": None}

    def page(self, rows: list[Json], token: str | None) -> Json:  # noqa: ARG002 - there are no pages here
        """Return every row; `_reworded` takes them out of the object."""
        return {"rows": rows}

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return the family's envelope."""
        message = "Batch not found." if why is Why.NO_SUCH_JOB else said
        error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
        return ServiceResponse(status, {"error": error})

    def _reworded(self, answer: HttpResponse, request: Request, question: SandboxRequest) -> HttpResponse:
        found = super()._reworded(answer, request, question)
        try:
            body = json.loads(found.body)
        except ValueError:
            return found
        is_list = isinstance(body, dict) and body.keys() == {"rows"}
        return replace(found, body=json.dumps(body["rows"]).encode()) if is_list else found
