"""Bedrock's model customization jobs over a world, in the words of its service model of 2023-04-20 (rest-json)."""

from __future__ import annotations

import re
from datetime import datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from reconciler.model.job import Phase
from reconciler.sandbox.world import JobView
from reconciler.testing.stage import RETRY_AFTER_S
from tests.contract.dialects.serving import Asked, Json, Operation, Why
from tests.contract.dialects.sigv4 import is_signed

REGION = "us-east-1"
ACCESS_KEY = "AKIACANARY"
BASE_MODEL = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-text-lite-v1:0:4k"
STATUSES = {
    Phase.VALIDATING_FILES: "InProgress",
    Phase.QUEUED: "InProgress",
    Phase.RUNNING: "InProgress",
    Phase.CANCELLING: "Stopping",
    Phase.SUCCEEDED: "Completed",
    Phase.FAILED: "Failed",
    Phase.CANCELLED: "Stopped",
}
_REFUSALS = {
    Why.WRONG_KEY: (403, "UnrecognizedClientException"),
    Why.FORBIDDEN: (403, "AccessDeniedException"),
    Why.THROTTLED: (429, "ThrottlingException"),
    Why.BROKEN: (500, "InternalServerException"),
    Why.NO_SUCH_JOB: (404, "ResourceNotFoundException"),
    Why.TOO_LATE: (400, "ConflictException"),
}
_URL = re.compile(r"/model-customization-jobs(?:/(?P<job>[^/]+)(?P<verb>/stop)?)?")


class BedrockDialect:
    """AWS's words, REST and JSON."""

    def __init__(self, secret_key: str) -> None:
        self._secret_key = secret_key

    def asked(self, request: Request, body: bytes) -> Asked | None:  # noqa: ARG002 - the protocol's signature
        """Read a URL such as `/model-customization-jobs/name/stop`."""
        match = _URL.fullmatch(request.scope["path"])
        operation = {
            ("GET", False, False): Operation.LIST,
            ("GET", True, False): Operation.RETRIEVE,
            ("POST", True, True): Operation.CANCEL,
        }.get((request.method, bool(match and match["job"]), bool(match and match["verb"])))
        if match is None or operation is None:
            return None
        query = request.query_params
        return Asked(operation, match["job"] or "", query.get("nextToken"), int(query.get("maxResults", "100")))

    def is_authentic(self, request: Request, body: bytes) -> bool:
        """Check the signature."""
        return is_signed(request, body, "bedrock", REGION, ACCESS_KEY, self._secret_key)

    def job(self, view: JobView, word: str | None) -> Json:
        """Return a GetModelCustomizationJobResponse."""
        details = self._shared(view, word) | {
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "outputModelName": f"model-{view.job.id}",
            "trainingDataConfig": {"s3Uri": "s3://b/train.jsonl"},
            "validationDataConfig": {"validators": []},
            "outputDataConfig": {"s3Uri": "s3://b/out/"},
        }
        if view.phase is Phase.SUCCEEDED:
            details["outputModelArn"] = _model_arn()
        if view.phase is Phase.FAILED:
            details["failureMessage"] = view.job.error.message
        return details

    def row(self, view: JobView, word: str | None) -> Json:
        """Return a ModelCustomizationJobSummary."""
        succeeded = {"customModelArn": _model_arn(), "customModelName": f"model-{view.job.id}"}
        return self._shared(view, word) | (succeeded if view.phase is Phase.SUCCEEDED else {})

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a ListModelCustomizationJobsResponse."""
        return {"modelCustomizationJobSummaries": rows} | ({"nextToken": token} if token else {})

    def taken(self) -> Response:
        """Return nothing."""
        return Response()

    def refusal(self, why: Why, said: str) -> Response:
        """Return an error, whose code is in a header."""
        status, code = _REFUSALS[why]
        headers = {"x-amzn-errortype": f"{code}:http://internal.amazon.com/coral/com.amazon.bedrock/"}
        if why is Why.THROTTLED:
            headers["retry-after"] = str(RETRY_AFTER_S)
        return JSONResponse({"message": said}, status, headers)

    def _shared(self, view: JobView, word: str | None) -> Json:
        body: Json = {
            "jobArn": arn(view.job.id),
            "jobName": view.job.id,
            "baseModelArn": BASE_MODEL,
            "status": word or STATUSES[view.phase],
            "creationTime": _iso8601(view.created_at),
            "lastModifiedTime": _iso8601(view.steps[-1].at),
            "customizationType": "FINE_TUNING",
        }
        if view.finished_at is not None:
            body["endTime"] = _iso8601(view.finished_at)
        if view.phase in (Phase.VALIDATING_FILES, Phase.QUEUED):
            validation = "InProgress" if view.phase is Phase.VALIDATING_FILES else "Completed"
            body["statusDetails"] = {
                "validationDetails": {"status": validation},
                "trainingDetails": {"status": "NotStarted"},
            }
        return body


def arn(name: str) -> str:
    """Return the ARN of a job: it does not hold the name."""
    number = f"{sum(name.encode()):012}"
    return f"arn:aws:bedrock:{REGION}:123456789012:model-customization-job/amazon.titan-text-lite-v1:0:4k/{number}"


def _model_arn() -> str:
    return f"arn:aws:bedrock:{REGION}:123456789012:custom-model/amazon.titan-text-lite-v1:0:4k/abcdefabcdef"


def _iso8601(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}Z"
