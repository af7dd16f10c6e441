"""A small fine-tuning API on a loopback socket. The test determines the response to each request.

Unlike the sandbox, it has no rules: a job is a row of JSON, and the test may return any response.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.sandbox_server import serve

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Asked:
    """A request: `list`, `retrieve`, or a change by its verb."""

    verb: str
    job_id: str


def a_row(job_id: str, status: str = "running", **more: Any) -> Row:
    """Return a job as OpenAI shows it, an hour old."""
    now = int(time.time())
    ended = {"finished_at": now} if status in {"succeeded", "failed", "cancelled"} else {}
    usual = {"object": "fine_tuning.job", "id": job_id, "status": status, "created_at": now - 3600, "model": "gpt-4o"}
    return {**usual, "fine_tuned_model": None, "finished_at": None, **ended, **more}


def an_error(status: int, message: str, code: str | None = None) -> Response:
    """Return an error in OpenAI's format."""
    error = {"message": message, "type": "invalid_request_error", "code": code}
    return JSONResponse({"error": error}, status)


@dataclass
class JobsApi:
    """The application. If `answer` returns None for a request, the rows determine the response."""

    rows: dict[str, Row]
    answer: Callable[[Asked], Response | None] = lambda _: None
    headers: Mapping[str, str] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def served(self) -> AbstractContextManager[str]:
        """Serve the application until the body ends. Yields its address, which ends in `/v1`."""
        jobs = "/v1/fine_tuning/jobs"
        return serve(
            Starlette(
                routes=[
                    Route(jobs, self._respond, methods=["GET"]),
                    Route(f"{jobs}/{{job}}", self._respond, methods=["GET"]),
                    Route(f"{jobs}/{{job}}/{{verb}}", self._respond, methods=["POST"]),
                ]
            )
        )

    def changes(self) -> list[str]:
        """Return the IDs of the jobs for which a change was requested, in order."""
        return [each.job_id for each in self.asked if each.verb not in {"list", "retrieve"}]

    async def _respond(self, request: Request) -> Response:
        job_id = request.path_params.get("job", "")
        asked = Asked(request.path_params.get("verb", "retrieve" if job_id else "list"), job_id)
        self.asked.append(asked)
        response = self.answer(asked) or self._usual(asked)
        response.headers.update(self.headers)
        return response

    def _usual(self, asked: Asked) -> Response:
        if asked.verb == "list":
            return JSONResponse({"object": "list", "data": list(self.rows.values()), "has_more": False})
        if asked.job_id not in self.rows:
            return an_error(404, f"Could not find fine tune: {asked.job_id}", "fine_tune_not_found")
        if asked.verb == "cancel":
            self.rows[asked.job_id] = a_row(asked.job_id, "cancelled")
        return JSONResponse(self.rows[asked.job_id])
