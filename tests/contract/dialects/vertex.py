"""Vertex AI's tuning jobs over a world, in the words of aiplatform v1 (and of v1beta1, which google-genai speaks)."""

from __future__ import annotations

import re
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.model.job import Phase
from reconciler.sandbox.world import JobView
from reconciler.testing.stage import RETRY_AFTER_S
from tests.contract.dialects.serving import Asked, Json, Operation, Why

PROJECT, LOCATION = "p", "us-central1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
STATES = {
    Phase.VALIDATING_FILES: "JOB_STATE_RUNNING",
    Phase.QUEUED: "JOB_STATE_QUEUED",
    Phase.RUNNING: "JOB_STATE_RUNNING",
    Phase.PAUSED: "JOB_STATE_PAUSED",
    Phase.CANCELLING: "JOB_STATE_CANCELLING",
    Phase.SUCCEEDED: "JOB_STATE_SUCCEEDED",
    Phase.FAILED: "JOB_STATE_FAILED",
    Phase.CANCELLED: "JOB_STATE_CANCELLED",
}
_REFUSALS = {
    Why.WRONG_KEY: (401, "UNAUTHENTICATED"),
    Why.FORBIDDEN: (403, "PERMISSION_DENIED"),
    Why.THROTTLED: (429, "RESOURCE_EXHAUSTED"),
    Why.BROKEN: (500, "INTERNAL"),
    Why.NO_SUCH_JOB: (404, "NOT_FOUND"),
    Why.TOO_LATE: (400, "FAILED_PRECONDITION"),
}
_URL = re.compile(rf"/v1(?:beta1)?/{PARENT}/tuningJobs(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?")


class VertexDialect:
    """Google's words."""

    def __init__(self, token: str) -> None:
        self._token = token

    def asked(self, request: Request, body: bytes) -> Asked | None:  # noqa: ARG002 - the protocol's signature
        """Read a URL such as `/v1/projects/p/locations/us-central1/tuningJobs/1:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        operation = {
            ("GET", False, False): Operation.LIST,
            ("GET", True, False): Operation.RETRIEVE,
            ("POST", True, True): Operation.CANCEL,
        }.get((request.method, bool(match and match["job"]), bool(match and match["verb"])))
        if match is None or operation is None:
            return None
        query = request.query_params
        return Asked(operation, match["job"] or "", query.get("pageToken"), int(query.get("pageSize", "100")))

    def is_authentic(self, request: Request, body: bytes) -> bool:  # noqa: ARG002 - as above
        """Compare the bearer's token."""
        return request.headers.get("authorization") == f"Bearer {self._token}"

    def job(self, view: JobView, word: str | None) -> Json:
        """Return a TuningJob, whose unset fields are left out."""
        started_at = next((step.at for step in view.steps if step.phase is Phase.RUNNING), None)
        body: Json = {
            "name": f"{PARENT}/tuningJobs/{view.job.id}",
            "baseModel": "gemini-2.5-flash",
            "state": word or STATES[view.phase],
            "createTime": _rfc3339(view.created_at),
            "updateTime": _rfc3339(view.steps[-1].at),
            "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"},
        }
        if view.phase is Phase.VALIDATING_FILES:
            body["tuningJobState"] = "TUNING_JOB_STATE_PROCESSING_DATASET"
        if started_at is not None:
            body["startTime"] = _rfc3339(started_at)
        if view.finished_at is not None:
            body["endTime"] = _rfc3339(view.finished_at)
        if view.phase is Phase.SUCCEEDED:
            body["tunedModel"] = {"model": f"{PARENT}/models/7@1", "endpoint": f"{PARENT}/endpoints/8"}
        if view.phase is Phase.FAILED:
            body["error"] = {"code": 3, "message": view.job.error.message}
        if view.phase is Phase.CANCELLED:
            body["error"] = {"code": 1, "message": "CANCELED"}
        return body

    row = job

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page; an empty list and an empty token are left out."""
        return ({"tuningJobs": rows} if rows else {}) | ({"nextPageToken": token} if token else {})

    def taken(self) -> Response:
        """Return `google.protobuf.Empty`."""
        return JSONResponse({})

    def refusal(self, why: Why, said: str) -> Response:
        """Return Google's envelope."""
        status, word = _REFUSALS[why]
        message = f"The TuningJob {PARENT}/tuningJobs/{said} does not exist." if why is Why.NO_SUCH_JOB else said
        headers = {"retry-after": str(RETRY_AFTER_S)} if why is Why.THROTTLED else None
        return JSONResponse({"error": {"code": status, "message": message, "status": word}}, status, headers)


def _rfc3339(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.123456789Z"
