"""Microsoft's identity library, used by the command with a test endpoint for managed identities."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reconciler.model.job import Phase
from tests.contract.dialects.azure import TOKEN
from tests.contract.dialects.services import AZURE_V1
from tests.contract.harnesses import Served, ServedHarness
from tests.support.cli import Checkout
from tests.support.sandbox_server import serve

pytest.importorskip("azure.identity", reason="pip install azure-identity")

PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: main}
spec: {type: azure-openai}
"""


@dataclass(frozen=True, slots=True)
class Identity:
    """The token endpoint that App Service provides to its applications (api-version 2019-08-01)."""

    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        """Return the endpoint."""
        return Starlette(routes=[Route("/{path:path}", self.give)])

    async def give(self, request: Request) -> JSONResponse:
        """Return a token that is valid for an hour."""
        self.asked.append(request.query_params["resource"])
        expires_on = str(int(time.time()) + 3600)
        return JSONResponse({"access_token": TOKEN, "expires_on": expires_on, "token_type": "Bearer"})


@pytest.fixture
def identity() -> Iterator[tuple[Identity, str]]:
    identity = Identity()
    with serve(identity.app()) as url:
        yield identity, url


def test_a_job_is_cancelled_with_one_token_request(
    tmp_path: Path, served: Served, identity: tuple[Identity, str]
) -> None:
    stage = ServedHarness(served, AZURE_V1)
    seen_by, url = identity
    environ = {
        "AZURE_OPENAI_ENDPOINT": stage.account.base_url,
        "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
        "IDENTITY_ENDPOINT": url,
        "IDENTITY_HEADER": "header",
    }
    checkout = Checkout(tmp_path, environ)
    checkout.write("main.yaml", PROVIDER)
    checkout.want("runaway", stage.job_in(Phase.RUNNING).id)
    ran = checkout.run("--once", "--wait")

    assert (ran.code, checkout.status("runaway").phase) == (0, Phase.CANCELLED)
    assert seen_by.asked == ["https://cognitiveservices.azure.com"]
    assert TOKEN not in ran.out + ran.err


def test_a_missing_azure_identity_is_reported_and_exits_with_78(tmp_path: Path, served: Served) -> None:
    stage = ServedHarness(served, AZURE_V1)
    environ = {"AZURE_OPENAI_ENDPOINT": stage.account.base_url, "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential"}
    checkout = Checkout(tmp_path, environ)
    checkout.write("main.yaml", PROVIDER)
    checkout.want("runaway", stage.job_in(Phase.RUNNING).id)
    ran = checkout.run("--once")

    assert ran.code == 78
    assert "Microsoft Entra credentials could not be obtained: none were found" in ran.out + ran.err
