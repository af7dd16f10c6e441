"""Mistral's batch jobs, served from the sandbox in the format of its SDK 3.7.0 `client/models/batchjob.py`.

Not confirmed: the responses to a request for a missing job, and to a cancel of one that has ended.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from tests.contract.dialects.batch_api import CancelledBatches, batch_uuid, creation, ended_at, is_route
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why

_URL = re.compile(r"/v1/batch/jobs(?:/(?P<job>[^/]+)(?P<verb>/cancel)?)?")
_STATUSES = {
    "validating": "QUEUED",
    "in_progress": "RUNNING",
    "cancelling": "CANCELLATION_REQUESTED",
    "completed": "SUCCESS",
    "failed": "FAILED",
    "expired": "TIMEOUT_EXCEEDED",
    "cancelled": "CANCELLED",
}


class Mistral(CancelledBatches):
    """Mistral's API for batch jobs. Pages are numbered."""

    def __init__(self, api: ASGIApp, secret: str) -> None:
        super().__init__(api, secret)
        self._page, self._size = 0, 100

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/batch/jobs/UUID/cancel`."""
        match = _URL.fullmatch(request.url.path)
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        query, job = request.query_params, match["job"]
        if not job:
            self._page, self._size = int(query.get("page", "0")), int(query.get("page_size", "100"))
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(
            (f"/{self.inner_id(job)}" if job else "") + (match["verb"] or ""),
            query={"limit": "100"},
            body=creation(job, body, "input_files", 0),
            refusal=None if is_known_key else JSONResponse({"detail": "Unauthorized"}, 401),
        )

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_uuid(inner)

    def job(self, row: Json) -> Json:
        """Return a batch job in Mistral's format."""
        counts = row["request_counts"]
        return {
            "id": self.outer_id(row["id"]),
            "object": "batch",
            "input_files": [row["input_file_id"]],
            "endpoint": row["endpoint"],
            "status": _STATUSES.get(row["status"], row["status"]),
            "model": "mistral-small-latest",
            "created_at": row["created_at"],
            "started_at": row["in_progress_at"],
            "completed_at": ended_at(row),
            "total_requests": counts["total"],
            "completed_requests": counts["completed"] + counts["failed"],
            "succeeded_requests": counts["completed"],
            "failed_requests": counts["failed"],
            "output_file": row["output_file_id"],
            "errors": [{"message": "bad line", "count": 1}] if row["status"] == "failed" else [],
        }

    def page(self, rows: list[Json], token: str | None) -> Json:  # noqa: ARG002 - pages have numbers here
        """Return the requested page."""
        start = self._page * self._size
        return {"object": "list", "data": rows[start : start + self._size], "total": len(rows)}

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Mistral's format, with the message in `detail`."""
        return ServiceResponse(status, {"detail": "Batch job not found" if why is Why.NO_SUCH_JOB else said})
