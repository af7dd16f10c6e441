"""Fireworks AI, served from the sandbox in the format of fireworks-ai 1.2.30 `types/supervised_fine_tuning_job.py`.

Each job belongs to one of four collections.

Not confirmed: the responses to a request for a missing job, and to a cancel of one that has ended.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.batch_api import is_route, rfc3339
from tests.contract.dialects.translating_app import ForeignApi, Json, SandboxRequest, ServiceResponse, Why

ACCOUNT = "acme"
SUPERVISED = "supervisedFineTuningJobs"
COLLECTIONS = {"dpo": "dpoJobs", "rft": "reinforcementFineTuningJobs", "rlor": "rlorTrainerJobs"}
"""The collections besides that of the supervised jobs, by the end of the sandbox's id of a job: `ftjob-twin-dpo`."""
_BY_PHASE = {"queued": "dpo", "running": "rft", "failed": "rlor"}
_PARENT = f"accounts/{ACCOUNT}"
_URL = re.compile(rf"/v1/{_PARENT}/(?P<collection>[A-Za-z]+)(?:/(?P<job>[^/:]+)(?P<verb>:cancel)?)?")
_STATES = {
    "validating_files": "JOB_STATE_VALIDATING",
    "queued": "JOB_STATE_PENDING",
    "running": "JOB_STATE_RUNNING",
    "paused": "JOB_STATE_PAUSED",
    "cancelling": "JOB_STATE_CANCELLING",
    "succeeded": "JOB_STATE_COMPLETED",
    "failed": "JOB_STATE_FAILED",
    "cancelled": "JOB_STATE_CANCELLED",
}
_CODES = {
    Why.WRONG_KEY: 16,
    Why.FORBIDDEN: 7,
    Why.THROTTLED: 8,
    Why.BROKEN: 13,
    Why.NO_SUCH_JOB: 5,
    Why.REFUSED: 9,
}


def job_id(inner: str) -> str:
    """Return the service's ID of a job of the sandbox. It names the collection, because bare IDs are not unique."""
    stem, _, end = inner.removeprefix("ftjob-").rpartition("-")
    if end in COLLECTIONS:
        return f"{COLLECTIONS[end]}/{stem}"
    bare = inner.removeprefix("ftjob-").replace("_", "-")
    return f"{COLLECTIONS.get(_BY_PHASE.get(bare, ''), SUPERVISED)}/{bare}"


def inner_id(collection: str, bare: str) -> str:
    """Return the sandbox's id of a job."""
    own = f"ftjob-{bare}" if bare != "validating-files" else "ftjob-validating_files"
    if job_id(own) == f"{collection}/{bare}":
        return own
    end = next((end for end, name in COLLECTIONS.items() if name == collection), "unknown")
    return f"{own}-{end}"


@dataclass(frozen=True, slots=True)
class _Question(SandboxRequest):
    """A request to one collection: for a job, or for a page of the list."""

    collection: str = SUPERVISED
    start: int = 0
    size: int = 50

    def page_of(self, rows: list[Json], *, repeats: bool) -> Json:
        """Return the page that was requested. A list that does not end repeats its first page."""
        ours = sorted((row for row in rows if row["name"].split("/")[2] == self.collection), key=_name)
        following = self.start + self.size
        token = "0" if repeats else str(following) if following < len(ours) else ""
        return {self.collection: ours[self.start : following], "nextPageToken": token}


def _creation(asked: Json) -> Json:
    """Return the sandbox's request for a new job."""
    return {"model": asked["baseModel"], "training_file": asked["dataset"]}


def _name(row: Json) -> str:
    return str(row["name"])


class Fireworks(ForeignApi):
    """Fireworks' API. A page contains jobs of one collection."""

    taken: ClassVar[Json | None] = {}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Translate a request with a URL such as `/v1/accounts/acme/dpoJobs/ID:cancel`."""
        match = _URL.fullmatch(request.scope["path"])
        if match is None or match["collection"] not in {SUPERVISED, *COLLECTIONS.values()}:
            return JSONResponse({"code": 5, "message": "Not Found", "details": []}, 404)
        if not is_route(request.method, match["job"], match["verb"]) or (match["verb"] and body != b"{}"):
            return JSONResponse({"code": 3, "message": "a cancel has the body {}", "details": []}, 400)
        job = inner_id(match["collection"], match["job"]) if match["job"] else ""
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        refusal = JSONResponse({"code": 16, "message": "unauthenticated", "details": []}, 401)
        return _Question(
            (f"/{job}" if job else "") + ("/cancel" if match["verb"] else ""),
            query={"limit": "100"},
            body=None if job or not body else _creation(json.loads(body)),
            refusal=None if is_known_key else refusal,
            collection=match["collection"],
            start=int(request.query_params.get("pageToken", "0")),
            size=min(int(request.query_params.get("pageSize", "50")), 200),
        )

    def job(self, row: Json) -> Json:
        """Return a job. It contains the name of the fine-tuned model even before that model exists."""
        collection, _, bare = job_id(row["id"]).partition("/")
        config = {"baseModel": "accounts/fireworks/models/llama-v3p1-8b", "outputModel": f"{_PARENT}/models/{bare}"}
        body: Json = {
            "name": f"{_PARENT}/{collection}/{bare}",
            "state": _STATES.get(row["status"], row["status"]),
            "createTime": rfc3339(row["created_at"]),
            "status": {"code": "OK", "message": ""},
            "dataset": f"{_PARENT}/datasets/d",
            "evaluator": f"{_PARENT}/evaluators/e",
            **(config if collection == SUPERVISED else {"trainingConfig": config}),
        }
        if row["finished_at"] is not None:
            body["completedTime"] = rfc3339(row["finished_at"])
        if row["status"] == "failed":
            body["status"] = {"code": "INVALID_ARGUMENT", "message": row["error"]["message"]}
        return body

    def page(self, rows: list[Json], token: str | None) -> Json:
        """Return the rows of all collections. `reword` divides them into pages."""
        return {"rows": rows, "repeats": token is not None}

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:
        """Return the response in Fireworks' format. A page contains only jobs of the requested collection."""
        found = super().reword(said, question)
        if not isinstance(question, _Question) or found.body is None or "rows" not in found.body:
            return found
        return replace(found, body=question.page_of(found.body["rows"], repeats=found.body["repeats"]))

    def refusal(self, why: Why, status: int, said: str) -> ServiceResponse:
        """Return an error in the format of a gRPC gateway."""
        message = f"fine-tuning job not found: {said}" if why is Why.NO_SUCH_JOB else said
        return ServiceResponse(status, {"code": _CODES[why], "message": message, "details": []})
