"""SageMaker's training jobs over a world, in the words of its service model of 2017-07-24 (JSON 1.1)."""

from __future__ import annotations

import json
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.model.job import Phase
from reconciler.sandbox.world import JobView
from reconciler.testing.stage import RETRY_AFTER_S
from tests.contract.dialects.serving import Asked, Json, Operation, Why
from tests.contract.dialects.sigv4 import is_signed

REGION = "eu-west-1"
ACCESS_KEY = "AKIACANARY"
OPERATIONS = {
    "SageMaker.ListTrainingJobs": Operation.LIST,
    "SageMaker.DescribeTrainingJob": Operation.RETRIEVE,
    "SageMaker.StopTrainingJob": Operation.CANCEL,
}
STATUSES = {
    Phase.VALIDATING_FILES: ("InProgress", "Starting"),
    Phase.QUEUED: ("InProgress", "Pending"),
    Phase.RUNNING: ("InProgress", "Training"),
    Phase.CANCELLING: ("Stopping", "Stopping"),
    Phase.SUCCEEDED: ("Completed", "Completed"),
    Phase.FAILED: ("Failed", "Failed"),
    Phase.CANCELLED: ("Stopped", "Stopped"),
}
_REFUSALS = {
    Why.WRONG_KEY: (400, "UnrecognizedClientException"),
    Why.FORBIDDEN: (400, "AccessDeniedException"),
    Why.THROTTLED: (400, "ThrottlingException"),
    Why.BROKEN: (500, "InternalFailure"),
    Why.NO_SUCH_JOB: (400, "ValidationException"),
    Why.TOO_LATE: (400, "ValidationException"),
}


class SageMakerDialect:
    """AWS's words, JSON 1.1."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def asked(self, request: Request, body: bytes) -> Asked | None:
        """Read the operation in the header, and the rest in the body."""
        operation = OPERATIONS.get(request.headers.get("x-amz-target", ""))
        is_json = request.headers.get("content-type") == "application/x-amz-json-1.1"
        if operation is None or not is_json or (request.method, request.scope["path"]) != ("POST", "/"):
            return None
        said = json.loads(body)
        return Asked(operation, said.get("TrainingJobName", ""), said.get("NextToken"), said.get("MaxResults", 10))

    def is_authentic(self, request: Request, body: bytes) -> bool:
        """Check the signature."""
        return is_signed(request, body, "sagemaker", REGION, ACCESS_KEY, self._secret_key)

    def job(self, view: JobView, word: str | None) -> Json:
        """Return a DescribeTrainingJobResponse."""
        started_at = next((step.at for step in view.steps if step.phase is Phase.RUNNING), None)
        body = self.row(view, word) | {
            "ModelArtifacts": {"S3ModelArtifacts": f"s3://b/out/{view.job.id}/model.tar.gz"},
            "StoppingCondition": {"MaxRuntimeInSeconds": 86_400},
        }
        if started_at is not None:
            body["TrainingStartTime"] = _seconds(started_at)
        if view.phase is Phase.FAILED:
            body["FailureReason"] = view.job.error.message
        return body

    def row(self, view: JobView, word: str | None) -> Json:
        """Return a TrainingJobSummary."""
        status, detail = STATUSES[view.phase]
        body: Json = {
            "TrainingJobName": view.job.id,
            "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:123456789012:training-job/{view.job.id}",
            "CreationTime": _seconds(view.created_at),
            "LastModifiedTime": _seconds(view.steps[-1].at),
            "TrainingJobStatus": word or status,
            "SecondaryStatus": detail,
        }
        return body | ({} if view.finished_at is None else {"TrainingEndTime": _seconds(view.finished_at)})

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a ListTrainingJobsResponse."""
        return {"TrainingJobSummaries": rows} | ({"NextToken": token} if token else {})

    def taken(self) -> Response:
        """Return nothing."""
        return Response()

    def refusal(self, why: Why, said: str) -> Response:
        """Return an error, whose code is in the body."""
        status, code = _REFUSALS[why]
        message = {
            Why.NO_SUCH_JOB: "Requested resource not found.",
            Why.TOO_LATE: f"The request was rejected because {said}.",
        }.get(why, said)
        headers = {"retry-after": str(RETRY_AFTER_S)} if why is Why.THROTTLED else None
        return JSONResponse({"__type": code, "message": message}, status, headers)


def _seconds(moment: datetime) -> float:
    return moment.timestamp() + 0.123
