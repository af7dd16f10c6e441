"""The LiteLLM proxy's fine-tuning routes, with the sandbox as its Azure upstream, and its pass-through.

Sources: litellm 1.110.2 `proxy/fine_tuning_endpoints/endpoints.py`, `proxy/utils.py` (the format of an upstream error).
"""

from __future__ import annotations

import json

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.translating_app import (
    JOBS,
    Json,
    SandboxRequest,
    ServiceResponse,
    TranslatingApp,
    complaint,
    each_job,
)

UPSTREAM = "azure"
LICENCE = "Only premium users can use this endpoint + You must be a LiteLLM Enterprise user to use this feature."
CANNOT_SHOW = "1 validation error for LiteLLMFineTuningJob\nstatus\n  Input should be 'validating_files', 'queued', …"


def internal(status: int, message: str) -> Json:
    """Return an error in the proxy's format."""
    return {"error": {"message": message, "type": "internal_server_error", "param": "None", "code": str(status)}}


def no_entry(request: Request, key: str) -> Response | None:
    """Return the response of a proxy without a database to a wrong key. For the right key, return None."""
    if request.headers.get("authorization") == f"Bearer {key}":
        return None
    return complaint(400, message="No connected db.", type="no_db_connection", param=None, code="400")


class LiteLLM(TranslatingApp):
    """The proxy's own routes, with a licence. The configured upstream is not the default one."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:
        """Read the upstream from the query of a GET, and from the body of a POST."""
        path = request.url.path.removeprefix(f"/v1{JOBS}")
        is_post = request.method == "POST"
        if is_post and path and not path.endswith("/cancel"):
            return JSONResponse({"detail": "Method Not Allowed"}, 405)
        asked = json.loads(body or b"{}") if is_post else request.query_params
        upstream = asked.get("custom_llm_provider", "openai" if is_post else None)
        question = SandboxRequest(path, refusal=no_entry(request, self._secret))
        if upstream != UPSTREAM and question.refusal is None:
            return JSONResponse(internal(500, f"fine_tuning_config has nothing for {upstream}"), 500)
        return question

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:  # noqa: ARG002 - the front's signature
        """Return the response with `cancelled` for a job that is being cancelled, and with upstream errors as text."""
        status, body = said.status, said.body or {}
        if status != 200:
            return ServiceResponse(status, self.told(status, body))
        if body["object"] == "list":
            return ServiceResponse(status, each_job(body, {"queued": "pending", "cancelling": "canceling"}))
        if body["status"] in ("pausing", "paused"):
            return ServiceResponse(500, internal(500, CANNOT_SHOW))
        return ServiceResponse(status, each_job(body, {"cancelling": "cancelled"}))

    def told(self, status: int, body: Json) -> Json:
        """Return an upstream error as with openai 2.x: the message contains the whole body as a Python dict."""
        return internal(status, f"Error code: {status} - {body}")


class OverNewClient(LiteLLM):
    """The proxy's own routes with openai 3.x, which repeats only the message of an upstream error."""

    def told(self, status: int, body: Json) -> Json:
        """Return the message, type and parameter of an upstream error, with the status as the code."""
        error = body.get("error") or {}
        message = f"Error code: {status} - {error.get('message')}"
        return {"error": {**error, "message": message, "code": str(status)}}


class Unlicensed(LiteLLM):
    """The proxy's own routes, without a licence."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Refuse every request: with HTTP 400 if its key is wrong, and with HTTP 500 otherwise."""
        return no_entry(request, self._secret) or JSONResponse(internal(500, LICENCE), 500)


class PassThrough(TranslatingApp):
    """The pass-through to OpenAI: only the key is changed."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Accept a request with the proxy's key."""
        path = request.url.path.removeprefix(f"/openai/v1{JOBS}")
        return SandboxRequest(path, refusal=no_entry(request, self._secret))

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:  # noqa: ARG002 - as above
        """Return the response unchanged."""
        return said


class BatchPassThrough(PassThrough):
    """The pass-through to OpenAI's batches. On `/openai/v1/batches`, the proxy has routes of its own."""

    inside = "/v1/batches"

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Accept a request with the proxy's key on the path of the pass-through."""
        root = "/openai_passthrough/v1/batches"
        if not request.url.path.startswith(root):
            return JSONResponse({"detail": "Not Found"}, 404)
        return SandboxRequest(request.url.path.removeprefix(root), refusal=no_entry(request, self._secret))
