"""Hugging Face Jobs, served from the sandbox in the format of huggingface_hub 2.4.0 `_jobs_api.py`.

Not confirmed: the responses to a request for a missing job, and to a cancel of one that has ended.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.testing.transport_faults import HttpResponse
from tests.contract.dialects.batch_api import is_route, rfc3339
from tests.contract.dialects.translating_app import (
    ForeignApi,
    Json,
    SandboxRequest,
    ServiceResponse,
    Why,
    listing,
)

NAMESPACE = "acme"
LABEL = "task=sft"
PAGE_SIZE = 2
"""The size of a page, which a client cannot choose."""
_URL = re.compile(rf"/api/jobs/{NAMESPACE}(?:/(?P<job>[^/]+)(?P<verb>/cancel)?)?")
_STAGES = {
    "validating_files": "SCHEDULING",
    "queued": "SCHEDULING",
    "running": "RUNNING",
    "cancelling": "RUNNING",
    "succeeded": "COMPLETED",
    "failed": "ERROR",
    "cancelled": "CANCELED",
}
_ID_BYTES = 12
_CREATED = ("created-000", "created-")
"""The beginning of the name of a created job: in the sandbox, and shortened so that the name fits into an id."""


class HuggingFace(ForeignApi):
    """The jobs of one namespace. A list is an array, and the address of its next page is in a header."""

    labels: ClassVar[Mapping[str, str]] = dict([LABEL.split("=")])

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/api/jobs/acme/72756e6e696e670000000000/cancel`."""
        match = _URL.fullmatch(request.scope["raw_path"].decode())
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"error": "Sorry, we can't find the page you are looking for."}, 404)
        query = request.query_params
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        return SandboxRequest(
            f"/{_inner(match['job'])}{match['verb'] or ''}" if match["job"] else "",
            query={**listing(query.get("cursor"), PAGE_SIZE)},
            body=None if match["job"] or not body else _creation(json.loads(body)),
            refusal=None if is_known_key else JSONResponse({"error": "Invalid username or password."}, 401),
        )

    def job(self, row: Json) -> Json:
        """Return a job in the format of Hugging Face."""
        is_failed = row["status"] == "failed"
        return {
            "id": job_id(row["id"]),
            "type": "job",
            "createdAt": rfc3339(row["created_at"]),
            "startedAt": rfc3339(row["created_at"]) if row["status"] != "queued" else None,
            "finishedAt": rfc3339(row["finished_at"]),
            "dockerImage": "python:3.12",
            "command": ["python", "train.py"],
            "flavor": "a10g-large",
            "labels": self.labels,
            "status": {
                "stage": _STAGES.get(row["status"], row["status"]),
                "message": row["error"]["message"] if is_failed else None,
            },
            "owner": {"id": "5e9ecfc04957053f60648a3e", "name": NAMESPACE, "type": "org"},
        }

    def accepted(self, row: Json) -> Json:
        """Return the job as the body of the response to a cancel."""
        return self.job(row)

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return every row, and the token of the next page. `_reworded` moves the token to a header."""
        return {"rows": rows, "token": token}

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error, with the message in `error`."""
        return ServiceResponse(status, {"error": "Job not found" if why is Why.NO_SUCH_JOB else said})

    def _reworded(self, answer: HttpResponse, request: Request, question: SandboxRequest) -> HttpResponse:
        found = super()._reworded(answer, request, question)
        try:
            body = json.loads(found.body)
        except ValueError:
            return found
        if not isinstance(body, dict) or body.keys() != {"rows", "token"}:
            return found
        given = {"label": request.query_params["label"]} if "label" in request.query_params else {}
        following = f"{request.base_url}api/jobs/{NAMESPACE}?{urlencode({**given, 'cursor': body['token']})}"
        link = [(b"link", f'<{following}>; rel="next"'.encode())] if body["token"] else []
        return replace(found, headers=(*found.headers, *link), body=json.dumps(body["rows"]).encode())


class Unlabelled(HuggingFace):
    """`HuggingFace` with jobs that have no label."""

    labels: ClassVar[Mapping[str, str]] = {}


def job_id(inner: str) -> str:
    """Return the id of a job of the sandbox: 24 hexadecimal digits."""
    return inner.removeprefix("ftjob-").replace(_CREATED[0], _CREATED[1], 1).encode().ljust(_ID_BYTES, b"\0").hex()


def _inner(known: str) -> str:
    """Return the sandbox's id of a job. An id that cannot be one of the service's is returned as it is."""
    try:
        name = bytes.fromhex(known).rstrip(b"\0").decode("ascii")
    except ValueError:
        return known
    inner = f"ftjob-{name.replace(_CREATED[1], _CREATED[0], 1)}"
    return inner if job_id(inner) == known else known


def _creation(asked: Json) -> Json:
    """Return the sandbox's request for a new job."""
    return {"model": asked["dockerImage"], "training_file": asked["command"][-1]}
