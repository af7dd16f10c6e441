"""SageMaker's jobs, served from the sandbox in the format of its service model of 2017-07-24 (JSON 1.1)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.sigv4 import is_signed
from tests.contract.dialects.translating_app import (
    ForeignApi,
    Json,
    SandboxRequest,
    ServiceResponse,
    Why,
    listing,
    moment,
)

REGION = "eu-west-1"
ACCESS_KEY = "AKIACANARY"
OPERATIONS = {
    "SageMaker.List{}s": ("GET", ""),
    "SageMaker.Describe{}": ("GET", ""),
    "SageMaker.Stop{}": ("POST", "/cancel"),
}
CATEGORY = "AgentRFT"
STATUSES = {
    "validating_files": ("InProgress", "Starting"),
    "queued": ("InProgress", "Pending"),
    "running": ("InProgress", "Training"),
    "cancelling": ("Stopping", "Stopping"),
    "succeeded": ("Completed", "Completed"),
    "failed": ("Failed", "Failed"),
    "cancelled": ("Stopped", "Stopped"),
}
SESSION_STATUSES = {
    "queued": "Scheduled",
    "running": "Running",
    "cancelling": "Stopping",
    "failed": "Failed",
    "cancelled": "Stopped",
}
_CODES = {
    Why.WRONG_KEY: "UnrecognizedClientException",
    Why.FORBIDDEN: "AccessDeniedException",
    Why.THROTTLED: "ThrottlingException",
    Why.BROKEN: "InternalFailure",
    Why.NO_SUCH_JOB: "ValidationException",
    Why.REFUSED: "ValidationException",
}


class SageMaker(ForeignApi):
    """SageMaker's API for training jobs (JSON 1.1). Every refusal has HTTP status 400, except internal errors."""

    hides: ClassVar[Mapping[str, str]] = {"validating_files": "queued"}
    noun: ClassVar[str] = "TrainingJob"
    common: ClassVar[Mapping[str, str]] = {}
    """The fields that every request must contain."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request, whose operation is in a header, and whose parameters are in the body."""
        operations = {name.format(self.noun): each for name, each in OPERATIONS.items()}
        operation = operations.get(request.headers.get("x-amz-target", ""))
        is_json = request.headers.get("content-type") == "application/x-amz-json-1.1"
        if operation is None or not is_json or (request.method, request.scope["path"]) != ("POST", "/"):
            return JSONResponse({"detail": "Not Found"}, 404)
        method, verb = operation
        said = json.loads(body)
        name = said.get(f"{self.noun}Name")
        if any(said.get(key) != value for key, value in self.common.items()):
            return JSONResponse({"__type": "ValidationException", "message": "a field is not valid"}, 400)
        is_known_key = is_signed(request, body, "sagemaker", REGION, ACCESS_KEY, self._secret)
        refusal = JSONResponse({"__type": _CODES[Why.WRONG_KEY], "message": "The security token is invalid."}, 400)
        return SandboxRequest(
            (f"/{name}" if name else "") + verb,
            method=method,
            query=listing(said.get("NextToken"), said.get("MaxResults", 10)),
            refusal=None if is_known_key else refusal,
        )

    def job(self, row: Json) -> Json:
        """Return a DescribeTrainingJobResponse."""
        body = self.row(row) | {
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://b/out/{row['id']}/model.tar.gz"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        }
        if row["status"] == "failed":
            body["FailureReason"] = row["error"]["message"]
        return body

    def row(self, row: Json) -> Json:
        """Return a TrainingJobSummary."""
        status, detail = STATUSES.get(row["status"], (row["status"], "Training"))
        body: Json = {
            "TrainingJobName": row["id"],
            "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:123456789012:training-job/{row['id']}",
            "CreationTime": _seconds(row["created_at"]),
            "TrainingJobStatus": status,
            "SecondaryStatus": detail,
        }
        if row["finished_at"] is not None:
            body["TrainingEndTime"] = _seconds(row["finished_at"])
        return body

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a page of rows, with a token if there is a next page."""
        return {f"{self.noun}Summaries": rows} | ({"NextToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error. Its code is in the body."""
        message = "Requested resource not found." if why is Why.NO_SUCH_JOB else said
        return ServiceResponse(status if why is Why.BROKEN else 400, {"__type": _CODES[why], "message": message})


class CustomizationJobs(SageMaker):
    """The customization jobs of one category."""

    noun = "Job"
    common: ClassVar[Mapping[str, str]] = {"JobCategory": CATEGORY}

    def job(self, row: Json) -> Json:
        """Return a DescribeJobResponse."""
        body = self.row(row)
        detail = body.pop("JobSecondaryStatus")
        body |= {
            "RoleArn": "arn:aws:iam::123456789012:role/r",
            "JobConfigSchemaVersion": "1.0.0",
            "JobConfigDocument": "{}",
            "SecondaryStatus": detail,
            "SecondaryStatusTransitions": [],
        }
        if row["status"] == "failed":
            body["FailureReason"] = row["error"]["message"]
        return body

    def row(self, row: Json) -> Json:
        """Return a JobSummary."""
        status, detail = STATUSES.get(row["status"], (row["status"], "Training"))
        body: Json = {
            "JobName": row["id"],
            "JobArn": f"arn:aws:sagemaker:{REGION}:123456789012:{customization_id(row['id'])}",
            "JobCategory": CATEGORY,
            "JobStatus": status,
            "JobSecondaryStatus": detail,
            "CreationTime": _seconds(row["created_at"]),
            "LastModifiedTime": _seconds(row["created_at"]),
        }
        if row["finished_at"] is not None:
            body["EndTime"] = _seconds(row["finished_at"])
        return body


class TrainingSessions(SageMaker):
    """The training sessions. A session never succeeds."""

    noun = "TrainingSession"

    def job(self, row: Json) -> Json:
        """Return a DescribeTrainingSessionResponse."""
        body = self.row(row) | {
            "TrainingSessionName": row["id"],
            "ModelConfig": {"BaseModelArn": f"arn:aws:sagemaker:{REGION}:aws:hub-content/SageMakerPublicHub/Model/m/1"},
            "BillableTokenUsage": {"TrainingTokenCount": row["trained_tokens"] or 0},
        }
        if row["finished_at"] is not None:
            body["EndTime"] = _seconds(row["finished_at"])
        if row["status"] == "failed":
            body["ErrorDetails"] = row["error"]["message"]
        return {"TrainingSessionDetail": body}

    def row(self, row: Json) -> Json:
        """Return a TrainingSessionSummary, which lacks the name."""
        return {
            "TrainingSessionArn": f"arn:aws:sagemaker:{REGION}:123456789012:{session_id(row['id'])}",
            "TrainingSessionStatus": SESSION_STATUSES.get(row["status"], row["status"]),
            "CreationTime": _seconds(row["created_at"]),
            "LastModifiedTime": _seconds(row["created_at"]),
        }


def customization_id(job_id: str) -> str:
    """Return the id of the customization job for a job of the sandbox."""
    return f"job/{CATEGORY}/{job_id}"


def session_id(job_id: str) -> str:
    """Return the id of the training session for a job of the sandbox."""
    return f"training-session/{job_id}"


def _seconds(value: object) -> object:
    return moment(value, lambda at: at.timestamp() + 0.123)
