"""Azure OpenAI's two paths, implemented with the sandbox.

Source: Azure/azure-rest-api-specs `AzureOpenAI/authoring/stable/2024-10-21/azureopenai.json`; live responses in
BerriAI/litellm#24687. The response to a refused cancel is not confirmed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response

from tests.contract.dialects.translating_app import (
    JOBS,
    SandboxRequest,
    ServiceResponse,
    TranslatingApp,
    complaint,
    each_job,
)

API_VERSION = "2024-10-21"
TOKEN = "canary-token-of-entra"  # noqa: S105 - a canary
_CODES = {400: "invalidPayload", 401: "unauthorized", 403: "forbidden", 429: "tooManyRequests", 500: "internalFailure"}
_WORDS = {"validating_files": "notRunning", "queued": "pending", "cancelling": "canceling"}
_NULLS = {"organization_id": None, "result_files": None, "integrations": None, "metadata": None}


class AzureV1(TranslatingApp):
    """The path `/openai/v1`, which supports a pause and a resume."""

    root = f"/openai/v1{JOBS}"
    verbs: tuple[str, ...] = ("", "/cancel", "/events", "/pause", "/resume")
    hides: ClassVar[Mapping[str, str]] = {"validating_files": "queued"}

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Accept a request with the resource's key or a token."""
        headers = request.headers
        is_known_key = headers.get("api-key") == self._secret or headers.get("authorization") == f"Bearer {TOKEN}"
        refusal = complaint(401, code="401", message="Access denied due to invalid subscription key.")
        path = request.url.path.removeprefix(self.root)
        is_known = request.url.path.startswith(self.root) and self.has_version(request)
        if not is_known or not path.endswith(self.verbs) or "/" in path[1:].rpartition("/")[0]:
            return complaint(404, code="404", message="Resource not found")
        return SandboxRequest(path, refusal=None if is_known_key else refusal)

    def has_version(self, request: Request) -> bool:
        """Return whether the query names a supported version. The v1 path needs none."""
        return request.query_params.get("api-version") in (None, "v1", "preview")

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:
        """Return the response with Azure's status words, null fields and error codes."""
        body, status = said.body or {}, said.status
        error = body["error"] if status != 200 else None
        if not error:
            return ServiceResponse(status, each_job(body, _WORDS, **_NULLS))
        message = error["message"]
        if error["code"] == "fine_tune_not_found":
            return ServiceResponse(404, {"error": {"code": "notFound", "message": message}})
        if status == 400 and question.path.endswith(("/cancel", "/pause", "/resume")):
            return ServiceResponse(
                409, {"error": {"code": "unexpectedEntityState", "message": message, "innererror": None}}
            )
        return ServiceResponse(status, {"error": {"code": _CODES.get(status, str(status)), "message": message}})


class AzureBatches(AzureV1):
    """The batches on the path `/openai/v1`, with OpenAI's status words."""

    inside = "/v1/batches"
    root = "/openai/v1/batches"
    verbs = ("", "/cancel")

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:  # noqa: ARG002 - as above
        """Return the response with Azure's error codes."""
        if said.status == 200 or said.body is None:
            return said
        message = said.body["error"]["message"]
        is_missing = message.startswith("No batch found")
        code = "notFound" if is_missing else _CODES.get(said.status, str(said.status))
        return ServiceResponse(
            said.status, {"error": {"code": "conflict" if said.status == 409 else code, "message": message}}
        )


class AzureClassicBatches(AzureBatches):
    """The batches on the path with an `api-version`."""

    root = "/openai/batches"

    def has_version(self, request: Request) -> bool:
        """Return whether the query names the supported version."""
        return request.query_params.get("api-version") == API_VERSION


class AzureClassic(AzureV1):
    """The path with an `api-version`, which supports neither a pause nor a resume."""

    root = f"/openai{JOBS}"
    verbs = ("", "/cancel", "/events")

    def has_version(self, request: Request) -> bool:
        """Return whether the query names the supported version."""
        return request.query_params.get("api-version") == API_VERSION
