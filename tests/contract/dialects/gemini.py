"""The Gemini API's batches, served from the sandbox in the format of google-genai 3.6.1 `batches.py`.

Not confirmed: the responses to a request for a missing batch, and to a cancel of one that has ended.
"""

from __future__ import annotations

import re
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import ForeignBatches, creation, ended_at, is_route, rfc3339
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why, listing
from tests.contract.dialects.vertex import envelope

_URL = re.compile(r"/v1/(?:models/[^/:]+:batchGenerateContent|batches(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?)")
_STATES = {
    "validating": "BATCH_STATE_PENDING",
    "in_progress": "BATCH_STATE_RUNNING",
    "cancelling": "BATCH_STATE_RUNNING",
    "completed": "BATCH_STATE_SUCCEEDED",
    "failed": "BATCH_STATE_FAILED",
    "expired": "BATCH_STATE_EXPIRED",
    "cancelled": "BATCH_STATE_CANCELLED",
}
_WORDS = {
    Why.WRONG_KEY: "INVALID_ARGUMENT",
    Why.FORBIDDEN: "PERMISSION_DENIED",
    Why.THROTTLED: "RESOURCE_EXHAUSTED",
    Why.BROKEN: "INTERNAL",
    Why.NO_SUCH_JOB: "NOT_FOUND",
    Why.REFUSED: "FAILED_PRECONDITION",
}
_WRONG_KEY = "API key not valid. Please pass a valid API key."


def batch_name(inner: str) -> str:
    """Return the service's ID of a batch of the sandbox."""
    return f"b{inner.removeprefix('batch_')}".replace("_", "-")


class Gemini(ForeignBatches):
    """The Gemini API with an API key. The response to a wrong key is HTTP 400."""

    taken: ClassVar[Json | None] = {}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/batches/b1:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        query, job = request.query_params, match["job"]
        is_known_key = request.headers.get("x-goog-api-key") == self._secret
        return SandboxRequest(
            (f"/{self.inner_id(job)}" if job else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("pageToken"), int(query.get("pageSize", "100"))),
            body=creation(job, body, "batch", "inputConfig", "fileName"),
            refusal=None if is_known_key else JSONResponse(envelope(400, "INVALID_ARGUMENT", _WRONG_KEY), 400),
        )

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_name(inner)

    def job(self, row: Json) -> Json:
        """Return an operation, without its unset fields."""
        counts = row["request_counts"]
        metadata: Json = {
            "state": _STATES.get(row["status"], row["status"]),
            "model": "models/gemini-2.5-flash",
            "createTime": rfc3339(row["created_at"]),
            "batchStats": {
                "requestCount": str(counts["total"]),
                "successfulRequestCount": str(counts["completed"]),
                "failedRequestCount": str(counts["failed"]),
            },
        }
        body: Json = {"name": f"batches/{self.outer_id(row['id'])}", "metadata": metadata}
        if ended_at(row) is not None:
            metadata["endTime"] = rfc3339(ended_at(row))
            body["done"] = True
        if row["status"] == "failed":
            body["error"] = {"code": 3, "message": "bad line"}
        return body

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page. An empty list and an empty token are omitted."""
        return ({"operations": rows} if rows else {}) | ({"nextPageToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Google's format."""
        if why is Why.WRONG_KEY:
            return ServiceResponse(400, envelope(400, _WORDS[why], f"{_WRONG_KEY} {said}"))
        message = f"Batch not found: {said}" if why is Why.NO_SUCH_JOB else said
        return ServiceResponse(status, envelope(status, _WORDS[why], message))
