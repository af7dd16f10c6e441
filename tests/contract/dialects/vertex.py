"""Vertex AI's tuning jobs and batches, served from the sandbox in the format of aiplatform v1 and v1beta1."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import BATCHES, INSIDE, creation, ended_at, is_route, number_of
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
_BATCH_STATES = {
    "validating": "JOB_STATE_PENDING",
    "in_progress": "JOB_STATE_RUNNING",
    "cancelling": "JOB_STATE_CANCELLING",
    "completed": "JOB_STATE_SUCCEEDED",
    "failed": "JOB_STATE_FAILED",
    "expired": "JOB_STATE_EXPIRED",
    "cancelled": "JOB_STATE_CANCELLED",
}


class Vertex(ForeignApi):
    """Vertex AI's API for tuning jobs."""

    taken: ClassVar[Json | None] = {}
    collection: ClassVar[str] = "tuningJobs"

    def inner_id(self, job_id: str) -> str:
        """Return the sandbox's id of a job."""
        return job_id

    def creation(self, job: str | None, body: bytes) -> Json | None:
        """Return the sandbox's request for a new job; None for any other request."""
        if job or not body:
            return None
        asked = json.loads(body)
        return {"model": asked["baseModel"], "training_file": asked["supervisedTuningSpec"]["trainingDatasetUri"]}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/projects/p/locations/us-central1/tuningJobs/1:cancel`."""
        pattern = rf"/v1(?:beta1)?/{PARENT}/{self.collection}(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?"
        match = re.fullmatch(pattern, request.scope["path"])
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        refusal = envelope(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        is_known_token = request.headers.get("authorization") == f"Bearer {self._secret}"
        query = request.query_params
        return SandboxRequest(
            (f"/{self.inner_id(match['job'])}" if match["job"] else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("pageToken"), int(query.get("pageSize", "100"))),
            body=self.creation(match["job"], body),
            refusal=None if is_known_token else JSONResponse(refusal, 401),
        )

    def job(self, row: Json) -> Json:
        """Return a TuningJob, without its unset fields."""
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
        """Return a page. An empty list and an empty token are omitted."""
        return ({"tuningJobs": rows} if rows else {}) | ({"nextPageToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Google's format."""
        message = said.replace("Could not find fine tune: ", f"TuningJob does not exist: {PARENT}/tuningJobs/")
        return ServiceResponse(status, envelope(status, _WORDS[why], message))


def envelope(status: int, word: str, message: str) -> Json:
    """Return the body of an error in the format of Google's APIs."""
    return {"error": {"code": status, "message": message, "status": word}}


def _rfc3339(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456789Z"


class VertexBatches(Vertex):
    """The batch prediction jobs, whose ids are numbers."""

    inside = INSIDE
    collection = "batchPredictionJobs"

    def inner_id(self, job_id: str) -> str:
        """Return the sandbox's id of a batch."""
        return next((each for each in BATCHES if self.outer_id(each) == job_id), "batch_unknown")

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_number(inner)

    def creation(self, job: str | None, body: bytes) -> Json | None:
        """Return the sandbox's request for a new batch; None for any other request."""
        return creation(job, body, "inputConfig", "gcsSource", "uris", 0)

    def job(self, row: Json) -> Json:
        """Return a BatchPredictionJob, without its unset fields."""
        counts = row["request_counts"]
        left = counts["total"] - counts["completed"] - counts["failed"]
        number = self.outer_id(row["id"])
        body: Json = {
            "name": f"{PARENT}/batchPredictionJobs/{number}",
            "model": "publishers/google/models/gemini-2.5-flash",
            "state": _BATCH_STATES.get(row["status"], row["status"]),
            "createTime": moment(row["created_at"], _rfc3339),
            "completionStats": {
                "successfulCount": str(counts["completed"]),
                **({"failedCount": str(counts["failed"])} if counts["failed"] else {}),
                "incompleteCount": str(left),
            },
        }
        if row["in_progress_at"] is not None:
            body["startTime"] = moment(row["in_progress_at"], _rfc3339)
        if ended_at(row) is not None:
            body["endTime"] = moment(ended_at(row), _rfc3339)
            body["outputInfo"] = {"gcsOutputDirectory": "gs://b/out"}
        if row["status"] == "failed":
            body["error"] = {"code": 3, "message": "bad line"}
        return body

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page. An empty list and an empty token are omitted."""
        return ({"batchPredictionJobs": rows} if rows else {}) | ({"nextPageToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in Google's format."""
        message = f"BatchPredictionJob does not exist: {said}" if why is Why.NO_SUCH_JOB else said
        return ServiceResponse(status, envelope(status, _WORDS[why], message))


def batch_number(inner: str) -> str:
    """Return the service's ID of a batch of the sandbox."""
    return f"{5_000_000_000_000_000 + number_of(inner)}"
