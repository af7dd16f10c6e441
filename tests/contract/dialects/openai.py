"""OpenAI's own API: the sandbox with a check of the key."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tests.contract.dialects.translating_app import SandboxRequest, ServiceResponse, TranslatingApp, complaint

MODELS = "/v1/models"
MODEL_ROWS = [
    {"object": "model", "id": "gpt-4o", "created": 1_715_367_049, "owned_by": "system", "shutdown_date": "2027-01-14"},
    {"object": "model", "id": "gpt-6", "created": 1_790_000_000, "owned_by": "system", "shutdown_date": None},
]
"""Models as the service lists them: `shutdown_date` is null if no date is announced."""


class OpenAI(TranslatingApp):
    """The path `/v1` of OpenAI and of compatible services."""

    def pass_on(self, request: Request, body: bytes) -> SandboxRequest | Response:  # noqa: ARG002 - the front's signature
        """Accept a request with the key."""
        is_known_key = request.headers.get("authorization") == f"Bearer {self._secret}"
        refusal = complaint(
            401, message="Incorrect API key provided.", type="invalid_request_error", code="invalid_api_key"
        )
        if request.url.path == MODELS:
            return JSONResponse({"object": "list", "data": MODEL_ROWS}) if is_known_key else refusal
        if not request.url.path.startswith(self.inside):
            message = f"Invalid URL ({request.method} {request.url.path})"
            return complaint(404, message=message, type="invalid_request_error", param=None, code=None)
        return SandboxRequest(request.url.path.removeprefix(self.inside), refusal=None if is_known_key else refusal)

    def reword(self, said: ServiceResponse, question: SandboxRequest) -> ServiceResponse:  # noqa: ARG002 - as above
        """Return the response unchanged."""
        return said


class OpenAIBatches(OpenAI):
    """The batches of OpenAI and of compatible services."""

    inside = "/v1/batches"
