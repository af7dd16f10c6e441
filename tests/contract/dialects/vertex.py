"""Vertex AI's tuning jobs over the sandbox, in the words of aiplatform v1 (and v1beta1, which google-genai speaks)."""

from __future__ import annotations

import re
from datetime import datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.translating_app import (
    ForeignApi,
    Json,
    SandboxRequest,
    ServiceResponse,
    Why,
    listing,
    moment,
)

PROJECT, LOCATION = "p", "us-central1"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"
STATES = {
    "validating_files": "JOB_STATE_RUNNING",
    "queued": "JOB_STATE_QUEUED",
    "running": "JOB_STATE_RUNNING",
    "paused": "JOB_STATE_PAUSED",
    "cancelling": "JOB_STATE_CANCELLING",
    "succeeded": "JOB_STATE_SUCCEEDED",
    "failed": "JOB_STATE_FAILED",
    "cancelled": "JOB_STATE_CANCELLED",
}
_WORDS = {
    Why.WRONG_KEY: "UNAUTHENTICATED",
    Why.FORBIDDEN: "PERMISSION_DENIED",
    Why.THROTTLED: "RESOURCE_EXHAUSTED",
    Why.BROKEN: "INTERNAL",
    Why.NO_SUCH_JOB: "NOT_FOUND",
    Why.REFUSED: "FAILED_PRECONDITION",
}
_URL = re.compile(rf"/v1(?:beta1)?/{PARENT}/tuningJobs(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?")


class Vertex(ForeignApi):
    """Google's words."""

    taken: ClassVar[Json | None] = {}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Read a URL such as `/v1/projects/p/locations/us-central1/tuningJobs/1:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        if match is None or (request.method == "POST") is not bool(match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        refusal = envelope(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        is_known_token = request.headers.get("authorization") == f"Bearer {self._secret}"
        query = request.query_params
        return SandboxRequest(
            (f"/{match['job']}" if match["job"] else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("pageToken"), int(query.get("pageSize", "100"))),
            refusal=None if is_known_token else JSONResponse(refusal, 401),
        )

    def job(self, row: Json) -> Json:
        """Return a TuningJob, whose unset fields are left out."""
        body: Json = {
            "name": f"{PARENT}/tuningJobs/{row['id']}",
            "baseModel": "gemini-2.5-flash",
            "state": STATES.get(row["status"], row["status"]),
            "createTime": moment(row["created_at"], _rfc3339),
            "supervisedTuningSpec": {"trainingDatasetUri": "gs://b/train.jsonl"},
        }
        if row["status"] == "validating_files":
            body["tuningJobState"] = "TUNING_JOB_STATE_PROCESSING_DATASET"
        if row["finished_at"] is not None:
            body["endTime"] = moment(row["finished_at"], _rfc3339)
        if row["fine_tuned_model"] is not None:
            body["tunedModel"] = {"model": f"{PARENT}/models/7@1", "endpoint": f"{PARENT}/endpoints/8"}
        if row["status"] == "failed":
            body["error"] = {"code": 3, "message": row["error"]["message"]}
        if row["status"] == "cancelled":
            body["error"] = {"code": 1, "message": "CANCELED"}
        return body

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page; an empty list and an empty token are left out."""
        return ({"tuningJobs": rows} if rows else {}) | ({"nextPageToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return Google's envelope."""
        message = said.replace("Could not find fine tune: ", f"TuningJob does not exist: {PARENT}/tuningJobs/")
        return ServiceResponse(status, envelope(status, _WORDS[why], message))


def envelope(status: int, word: str, message: str) -> Json:
    """Return an error as Google's APIs write it."""
    return {"error": {"code": status, "message": message, "status": word}}


def _rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z"
