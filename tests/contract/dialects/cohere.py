"""Cohere's batches, served from the sandbox in the format of cohere 7.3.1 `batches/types/batch.py`.

Not confirmed: the responses to a request for a missing batch, and to a cancel of one that has ended.
"""

from __future__ import annotations

import re
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import ForeignBatches, batch_uuid, creation, is_route, rfc3339
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why, listing

_URL = re.compile(r"/v2/batches(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?")
_STATUSES = {
    "validating": "BATCH_STATUS_QUEUED",
    "in_progress": "BATCH_STATUS_IN_PROGRESS",
    "cancelling": "BATCH_STATUS_CANCELING",
    "completed": "BATCH_STATUS_COMPLETED",
    "failed": "BATCH_STATUS_FAILED",
    "expired": "BATCH_STATUS_FAILED",
    "cancelled": "BATCH_STATUS_CANCELED",
}


class Cohere(ForeignBatches):
    """Cohere's API for batches. Its numbers of tokens are texts."""

    taken: ClassVar[Json | None] = {}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v2/batches/UUID:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"message": "the requested route was not found"}, 404)
        query, job = request.query_params, match["job"]
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(
            (f"/{self.inner_id(job)}" if job else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("page_token"), int(query.get("page_size", "50"))),
            body=creation(job, body, "input_dataset_id"),
            refusal=None if is_known_key else JSONResponse({"message": "invalid api token"}, 401),
        )

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_uuid(inner)

    def job(self, row: Json) -> Json:
        """Return the body of the response to a retrieve."""
        return {"batch": self.row(row)}

    def row(self, row: Json) -> Json:
        """Return a batch in Cohere's format."""
        counts, usage = row["request_counts"], row["usage"]
        batch: Json = {
            "id": self.outer_id(row["id"]),
            "name": "nightly",
            "creator_id": "b0000000-0000-4000-8000-000000000001",
            "org_id": "60000000-0000-4000-8000-000000000001",
            "status": _STATUSES.get(row["status"], row["status"]),
            "created_at": rfc3339(row["created_at"]),
            "updated_at": rfc3339(row["created_at"]),
            "input_dataset_id": row["input_file_id"],
            "output_dataset_id": row["output_file_id"] or "",
            "input_tokens": str(usage["input_tokens"]),
            "output_tokens": str(usage["output_tokens"]),
            "model": "batch-command",
            "num_records": counts["total"],
            "num_successful_records": counts["completed"],
            "num_failed_records": counts["failed"],
        }
        return batch | ({"status_reason": "bad line"} if row["status"] == "failed" else {})

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page of batches. The token is omitted on the last page."""
        return {"batches": rows} | ({"next_page_token": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Cohere's format, with the text in `message`."""
        return ServiceResponse(status, {"message": "batch not found" if why is Why.NO_SUCH_JOB else said})
