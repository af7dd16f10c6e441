"""Bedrock's customization and invocation jobs, served from the sandbox in the format of service model 2023-04-20."""

from __future__ import annotations

import re
from datetime import datetime
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp

from tests.contract.dialects.batch_api import ForeignBatches, creation, ended_at, is_route
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

REGION = "us-east-1"
ACCESS_KEY = "AKIACANARY"
BASE_MODEL = f"arn:aws:bedrock:{REGION}::foundation-model/amazon.titan-text-lite-v1:0:4k"
MODEL_ARN = f"arn:aws:bedrock:{REGION}:123456789012:custom-model/amazon.titan-text-lite-v1:0:4k/abcdefabcdef"
UNHEARD_OF = "no-such-arn"
STATUSES = {
    "validating_files": "InProgress",
    "queued": "InProgress",
    "running": "InProgress",
    "cancelling": "Stopping",
    "succeeded": "Completed",
    "failed": "Failed",
    "cancelled": "Stopped",
}
_CODES = {
    Why.WRONG_KEY: "UnrecognizedClientException",
    Why.FORBIDDEN: "AccessDeniedException",
    Why.THROTTLED: "ThrottlingException",
    Why.BROKEN: "InternalServerException",
    Why.NO_SUCH_JOB: "ResourceNotFoundException",
    Why.REFUSED: "ConflictException",
}
_BATCH_STATUSES = {
    "validating": "Scheduled",
    "in_progress": "InProgress",
    "cancelling": "Stopping",
    "completed": "Completed",
    "failed": "Failed",
    "expired": "Expired",
    "cancelled": "Stopped",
}
_BATCH_URL = re.compile(r"/model-invocation-jobs?(?:/(?P<job>[^/]+)(?P<verb>/stop)?)?")
_URL = re.compile(r"/model-customization-jobs(?:/(?P<job>[^/]+)(?P<verb>/stop)?)?")


class Bedrock(ForeignApi):
    """Bedrock's API for customization jobs. It finds a job by its ARN only after a response has contained the ARN."""

    def __init__(self, api: ASGIApp, secret: str) -> None:
        super().__init__(api, secret)
        self._names: dict[str, str] = {}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/model-customization-jobs/name/stop`."""
        match = _URL.fullmatch(request.scope["raw_path"].decode())
        if match is None or (request.method == "POST") is not bool(match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        asked_for = unquote(match["job"] or "")
        name = self._names.get(asked_for, UNHEARD_OF if asked_for.startswith("arn:") else asked_for)
        query = request.query_params
        is_known_key = is_signed(request, body, "bedrock", REGION, ACCESS_KEY, self._secret)
        refusal = JSONResponse({"message": "The security token is invalid."}, 403, _code(Why.WRONG_KEY))
        return SandboxRequest(
            (f"/{name}" if name else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("nextToken"), int(query.get("maxResults", "100"))),
            refusal=None if is_known_key else refusal,
        )

    def job(self, row: Json) -> Json:
        """Return a GetModelCustomizationJobResponse."""
        body = self._shared(row) | {
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "outputModelName": f"model-{row['id']}",
            "trainingDataConfig": {"s3Uri": "s3://b/train.jsonl"},
            "validationDataConfig": {"validators": []},
            "outputDataConfig": {"s3Uri": "s3://b/out/"},
        }
        if row["fine_tuned_model"] is not None:
            body["outputModelArn"] = MODEL_ARN
        if row["status"] == "failed":
            body["failureMessage"] = row["error"]["message"]
        return body

    def row(self, row: Json) -> Json:
        """Return a ModelCustomizationJobSummary."""
        model = {"customModelArn": MODEL_ARN, "customModelName": f"model-{row['id']}"}
        return self._shared(row) | (model if row["fine_tuned_model"] is not None else {})

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a ListModelCustomizationJobsResponse."""
        return {"modelCustomizationJobSummaries": rows} | ({"nextToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error, whose code is in a header."""
        return ServiceResponse(403 if why is Why.WRONG_KEY else status, {"message": said}, _code(why))

    def _shared(self, row: Json) -> Json:
        self._names[arn(row["id"])] = row["id"]
        body: Json = {
            "jobArn": arn(row["id"]),
            "jobName": row["id"],
            "baseModelArn": BASE_MODEL,
            "status": STATUSES.get(row["status"], row["status"]),
            "creationTime": moment(row["created_at"], _iso8601),
            "customizationType": "FINE_TUNING",
        }
        if row["finished_at"] is not None:
            body["endTime"] = moment(row["finished_at"], _iso8601)
        if row["status"] in ("validating_files", "queued"):
            validation = "InProgress" if row["status"] == "validating_files" else "Completed"
            body["statusDetails"] = {
                "validationDetails": {"status": validation},
                "trainingDetails": {"status": "NotStarted"},
            }
        return body


def arn(name: str) -> str:
    """Return the ARN of a job, which does not contain the job's name."""
    number = f"{sum(name.encode()):012}"
    return f"arn:aws:bedrock:{REGION}:123456789012:model-customization-job/amazon.titan-text-lite-v1:0:4k/{number}"


def _code(why: Why) -> dict[str, str]:
    return {"x-amzn-errortype": f"{_CODES[why]}:http://internal.amazon.com/coral/com.amazon.bedrock/"}


def _iso8601(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.000123Z"


class BedrockBatches(ForeignBatches):
    """The model invocation jobs, which are known by the last part of their ARN."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/model-invocation-job/abcdefabcdef/stop`, or with that of a list."""
        match = _BATCH_URL.fullmatch(request.scope["raw_path"].decode())
        if match is None or not is_route(request.method, match["job"], match["verb"]):
            return JSONResponse({"detail": "Not Found"}, 404)
        number = unquote(match["job"] or "").rpartition("/")[2]
        query = request.query_params
        is_known_key = is_signed(request, body, "bedrock", REGION, ACCESS_KEY, self._secret)
        refusal = JSONResponse({"message": "The security token is invalid."}, 403, _code(Why.WRONG_KEY))
        return SandboxRequest(
            (f"/{self.inner_id(number)}" if number else "") + ("/cancel" if match["verb"] else ""),
            query=listing(query.get("nextToken"), int(query.get("maxResults", "100"))),
            body=creation(number, body, "inputDataConfig", "s3InputDataConfig", "s3Uri"),
            refusal=None if is_known_key else refusal,
        )

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return batch_number(inner)

    def job(self, row: Json) -> Json:
        """Return a GetModelInvocationJobResponse."""
        counts = row["request_counts"]
        return self.row(row) | {
            "totalRecordCount": counts["total"],
            "processedRecordCount": counts["completed"] + counts["failed"],
            "successRecordCount": counts["completed"],
            "errorRecordCount": counts["failed"],
        }

    def row(self, row: Json) -> Json:
        """Return a ModelInvocationJobSummary."""
        number = self.outer_id(row["id"])
        is_partial = row["status"] == "completed" and row["request_counts"]["failed"] > 0
        body: Json = {
            "jobArn": f"arn:aws:bedrock:{REGION}:123456789012:model-invocation-job/{number}",
            "jobName": "nightly",
            "modelId": BASE_MODEL,
            "roleArn": "arn:aws:iam::123456789012:role/r",
            "inputDataConfig": {"s3InputDataConfig": {"s3Uri": row["input_file_id"]}},
            "status": "PartiallyCompleted" if is_partial else _BATCH_STATUSES.get(row["status"], row["status"]),
            "submitTime": moment(row["created_at"], _iso8601),
            "jobExpirationTime": moment(row["expires_at"], _iso8601),
            "outputDataConfig": {"s3OutputDataConfig": {"s3Uri": "s3://b/out"}},
        }
        if ended_at(row) is not None:
            body["endTime"] = moment(ended_at(row), _iso8601)
        if row["status"] == "failed":
            body["message"] = "bad line"
        return body

    def created(self, row: Json) -> Json:
        """Return a CreateModelInvocationJobResponse."""
        return {"jobArn": self.row(row)["jobArn"]}

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return a ListModelInvocationJobsResponse."""
        return {"invocationJobSummaries": rows} | ({"nextToken": token} if token else {})

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error, whose code is in a header."""
        if why is Why.REFUSED:
            return ServiceResponse(400, {"message": f"State was: {said}"}, {"x-amzn-errortype": "ValidationException"})
        return ServiceResponse(403 if why is Why.WRONG_KEY else status, {"message": said}, _code(why))


def batch_number(inner: str) -> str:
    """Return the service's ID of a batch of the sandbox."""
    return f"{re.sub('[_-]', '', inner.removeprefix('batch_')):x<12}"[:12]
