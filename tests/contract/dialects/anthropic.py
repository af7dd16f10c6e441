"""Anthropic's message batches, served from the sandbox.

Format: Anthropic's SDK 2.14.0 `types/messages/message_batch.py`.

Not confirmed: the responses to a request for a missing batch, and to a cancel of one that has ended.
"""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import CancelledBatches, creation, ended_at, is_route, rfc3339
from tests.contract.dialects.translating_app import Json, SandboxRequest, ServiceResponse, Why, listing

_URL = re.compile(r"/v1/messages/batches(?:/(?P<job>[^/]+)(?P<verb>/cancel)?)?")
_TYPES = {
    Why.WRONG_KEY: "authentication_error",
    Why.FORBIDDEN: "permission_error",
    Why.THROTTLED: "rate_limit_error",
    Why.BROKEN: "api_error",
    Why.NO_SUCH_JOB: "not_found_error",
    Why.REFUSED: "invalid_request_error",
}
_ENDED = {
    "failed": {"errored": 100},
    "expired": {"expired": 100},
    "cancelled": {"succeeded": 23, "canceled": 77},
}
_WORDS = {"validating": "in_progress", "in_progress": "in_progress", "cancelling": "canceling"}


def batch_id(inner: str) -> str:
    """Return the service's ID of a batch of the sandbox."""
    return f"msg{inner}"


class Anthropic(CancelledBatches):
    """Anthropic's API for message batches."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/messages/batches/msgbatch_1/cancel`."""
        match = _URL.fullmatch(request.url.path)
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse(_envelope("not_found_error", "Not Found"), 404)
        query, job = request.query_params, match["job"]
        headers = request.headers
        is_known_key = (
            headers.get("x-api-key") == self._secret or headers.get("authorization") == f"Bearer {self._secret}"
        )
        is_known_key &= "anthropic-version" in headers
        refusal = JSONResponse(_envelope("authentication_error", "invalid x-api-key"), 401)
        after = query.get("after_id")
        return SandboxRequest(
            (f"/{self.inner_id(job)}" if job else "") + (match["verb"] or ""),
            query=listing(self.inner_id(after) if after else None, int(query.get("limit", "20"))),
            body=creation(job, body, "requests", 0, "custom_id"),
            refusal=None if is_known_key else refusal,
        )

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_id(inner)

    def job(self, row: Json) -> Json:
        """Return a message batch, with the outcome in its counts."""
        status, shown = row["status"], row["request_counts"]
        was_cancelled = status in ("cancelling", "cancelled")
        is_over = status == "completed" or status in _ENDED
        done = {"succeeded": shown["completed"], "errored": shown["failed"]}
        counts = done if status == "completed" else _ENDED.get(status, {"processing": 100})
        return {
            "id": self.outer_id(row["id"]),
            "type": "message_batch",
            "processing_status": "ended" if is_over else _WORDS.get(status, status),
            "request_counts": {
                each: counts.get(each, 0) for each in ("processing", "succeeded", "errored", "canceled", "expired")
            },
            "created_at": rfc3339(row["created_at"]),
            "ended_at": rfc3339(ended_at(row)),
            "expires_at": rfc3339(row["expires_at"]),
            "cancel_initiated_at": rfc3339(row["cancelling_at"] or row["cancelled_at"]) if was_cancelled else None,
            "archived_at": None,
            "results_url": "https://api.anthropic.com/v1/messages/batches/x/results" if is_over else None,
        }

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page, whose cursor is the id of its last batch."""
        last = None if token is None else self.outer_id(token.removeprefix("behind/"))
        return {"data": rows, "has_more": token is not None, "first_id": None, "last_id": last}

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Anthropic's format."""
        return ServiceResponse(status, _envelope(_TYPES[why], said))


def _envelope(type_: str, message: str) -> Json:
    return {"type": "error", "error": {"type": type_, "message": message}, "request_id": "req_1"}
