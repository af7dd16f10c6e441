"""xAI's batches, implemented with the sandbox in the format that litellm 1.110.2 reads. Nothing here is confirmed."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import CancelledBatches, creation, is_route
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why, listing

_STATUSES = frozenset({"validating", "in_progress", "cancelling", "completed", "failed", "expired", "cancelled"})
"""The sandbox's statuses that a batch of xAI can have. A batch with another status is shown with unreadable counts."""
_URL = re.compile(r"/v1/batches(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?")


class XAI(CancelledBatches):
    """xAI's API for batches, which has no status."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/batches/batch_1:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"error": "Not Found"}, 404)
        query = request.query_params
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(
            (f"/{match['job']}" if match["job"] else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("pagination_token"), int(query.get("limit", "20"))),
            body=creation(match["job"], body, "input_file_id"),
            refusal=None if is_known_key else JSONResponse({"code": "401", "error": "Incorrect API key"}, 401),
        )

    def job(self, row: Json) -> Json:
        """Return a batch. Its times are dates without a time of day."""
        status = row["status"]
        has_failed = status in ("failed", "expired")
        is_over = has_failed or status in ("completed", "cancelled")
        done = 100 if status == "completed" else 23 if is_over else 0
        return {
            "batch_id": row["id"],
            "name": "nightly",
            "create_time": "2026-11-23",
            "expire_time": "2026-11-24",
            "cancel_time": "2026-11-23" if has_failed or status in ("cancelling", "cancelled") else None,
            "cancel_by_xai_message": "bad requests" if has_failed else None,
            "state": {
                "num_requests": 0 if status == "validating" else 100,
                "num_pending": 100 if status in ("in_progress", "cancelling") else 0,
                "num_success": done,
                "num_error": 0,
                "num_cancelled": 100 - done if is_over else 0,
            }
            if status in _STATUSES
            else {},
        }

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page of batches, with a token if there is a next page."""
        return {"batches": rows, "pagination_token": token}

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in xAI's format, with the message in `error`."""
        message = "Batch not found" if why is Why.NO_SUCH_JOB else said
        return ServiceResponse(status, {"code": str(status), "error": message})
