"""A small API with fine-tuning jobs and batches that may have the same IDs, on a loopback socket."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.jobs_api import a_row, an_error
from tests.support.sandbox_server import serve

Row = dict[str, Any]
BATCH = """\
apiVersion: jobs.reconciler/v1
kind: BatchJob
metadata: {{name: {name}}}
spec:
  provider: {provider}
  jobId: {job_id}
  desiredState: {state}
"""
_ENDS = {"completed": "completed_at", "failed": "failed_at", "expired": "expired_at", "cancelled": "cancelled_at"}


def a_batch(batch_id: str, status: str = "in_progress", **more: Any) -> Row:
    """Return a batch as OpenAI's API shows it: an hour old, and with 23 completed and one failed of 100 requests."""
    now = int(time.time())
    ends = {key: now if word == status else None for word, key in _ENDS.items()}
    return {
        "object": "batch",
        "id": batch_id,
        "status": status,
        "model": "gpt-5-mini",
        "created_at": now - 3600,
        "in_progress_at": now - 3000,
        "expires_at": now + 82_800,
        "output_file_id": "file-9a" if status in _ENDS else None,
        "request_counts": {"total": 100, "completed": 23, "failed": 1},
        "usage": {"total_tokens": 48_211},
        "errors": None,
        **ends,
        **more,
    }


@dataclass
class BothKinds:
    """The application. It refuses to cancel a finished batch with HTTP 409. Any other cancel takes effect at once."""

    jobs: dict[str, Row]
    batches: dict[str, Row]
    changes: list[str] = field(default_factory=list)
    """The path of each cancel request in order, including refused ones."""
    on_retrieve: Callable[[], object] = lambda: None
    """Called when a job is retrieved, before the response."""

    def served(self) -> AbstractContextManager[str]:
        """Serve the application until the body ends. Yields its address, which ends in `/v1`."""
        routes = []
        for path in ("/v1/fine_tuning/jobs", "/v1/batches"):
            routes += [
                Route(path, self._list, methods=["GET"]),
                Route(f"{path}/{{job}}", self._retrieve, methods=["GET"]),
                Route(f"{path}/{{job}}/cancel", self._cancel, methods=["POST"]),
            ]
        return serve(Starlette(routes=routes))

    def _rows(self, request: Request) -> dict[str, Row]:
        return self.batches if request.url.path.startswith("/v1/batches") else self.jobs

    async def _list(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": list(self._rows(request).values()), "has_more": False})

    async def _retrieve(self, request: Request) -> Response:
        rows, job_id = self._rows(request), request.path_params["job"]
        self.on_retrieve()
        if job_id in rows:
            return JSONResponse(rows[job_id])
        if rows is self.batches:
            return an_error(404, f"No batch found with id '{job_id}'.")
        return an_error(404, f"Could not find fine tune: {job_id}", "fine_tune_not_found")

    async def _cancel(self, request: Request) -> Response:
        rows, job_id = self._rows(request), request.path_params["job"]
        self.changes.append(request.url.path)
        if rows is self.batches and rows[job_id]["status"] in _ENDS:
            return an_error(409, f"Cannot cancel a batch with status '{rows[job_id]['status']}'.")
        rows[job_id] = (a_batch if rows is self.batches else a_row)(job_id, "cancelled")
        return JSONResponse(rows[job_id])
