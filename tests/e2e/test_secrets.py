"""The canary secret of every provider type: a careless provider repeats it, but no output and no redirect has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.model.exit_code import ExitCode
from reconciler.model.job import Phase
from reconciler.sandbox.faults import FAULTS
from tests.contract.dialects.services import SERVICES
from tests.support.cli import Checkout, Ran
from tests.support.in_process_command import Workspace
from tests.support.sandbox_server import serve
from tests.support.service_endpoints import ServiceEndpoint, serve_service, trust_in

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")

SECRET = "canary-0123456789abcdef"  # noqa: S105 - a canary
LOUDLY = ("-vvv", "--log-format=json", "--audit=audit.jsonl")
QUICKLY = {"cancelTakes": "1s", "cancelWord": "cancelling"}
READERS = (
    ("plan", "-o", "json"),
    ("plan", "-o", "markdown"),
    ("get", "-o", "json"),
    ("get", "-o", "yaml"),
    ("describe", "runaway"),
    ("drift", "-o", "json"),
    ("providers", "--check", "-o", "json"),
)


@pytest.fixture(params=list(SERVICES))
def endpoint(request: pytest.FixtureRequest) -> Iterator[ServiceEndpoint]:
    """Yield a service of each kind, with one running job."""
    job = {"id": "ftjob-runaway", "age": "2h", "life": [{"phase": "running"}]}
    service = SERVICES[request.param]
    quick = replace(service, world=QUICKLY) if service.world else service
    with serve_service("main", quick, [job], SECRET) as endpoint:
        yield endpoint


def a_checkout(root: Path, endpoint: ServiceEndpoint) -> Checkout:
    checkout = Checkout(root, endpoint.environ | trust_in([endpoint]))
    checkout.write("main.yaml", endpoint.document)
    checkout.want("runaway", endpoint.service.job_id("ftjob-runaway"))
    return checkout


def break_with(endpoint: ServiceEndpoint, **rule: str) -> None:
    endpoint.world.faults.add(FAULTS.validate_python([rule]))


def said(*ran: Ran) -> str:
    return "".join(each.out + each.err for each in ran)


@pytest.mark.sampled(2)
def test_a_secret_that_a_provider_echoes_is_redacted_everywhere(
    tmp_path: Path, endpoint: ServiceEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkout, workspace = a_checkout(tmp_path, endpoint), Workspace(tmp_path)
    for name, value in checkout.environ.items():
        monkeypatch.setenv(name, value)
    everything = ""
    for status in ("401", "403", "429", "500"):
        break_with(endpoint, fault="status", status=status, on="any")
        everything += said(*(workspace.run(*reader, "-vvv") for reader in READERS[::6]))
        endpoint.world.faults.clear()
    break_with(endpoint, fault="status", status="500", on="cancel", times="1")
    asks = checkout.run("--once", *LOUDLY)
    sees = checkout.run("--once", "--wait=60s", *LOUDLY)
    everything += said(asks, sees, *(workspace.run(*reader, "-vvv") for reader in READERS))
    files = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert (asks.code, sees.code) == (ExitCode.OK, ExitCode.OK), said(asks, sees)
    assert checkout.status("runaway").phase is Phase.CANCELLED
    assert "cancel" in (tmp_path / "audit.jsonl").read_text(encoding="utf-8")
    assert SECRET not in everything
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def redirecting(to: str) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = Request(scope).url.path
        await Response(status_code=307, headers={"location": f"{to}{path}"})(scope, receive, send)

    return app


@pytest.mark.sampled(3)
def test_a_secret_is_not_sent_after_a_redirect(tmp_path: Path, endpoint: ServiceEndpoint) -> None:
    elsewhere = endpoint.base_url.removesuffix(endpoint.service.path)
    with serve(redirecting(elsewhere)) as url:
        moved = replace(endpoint, base_url=url.removesuffix("/v1") + endpoint.service.path)
        ran = a_checkout(tmp_path, moved).run("--once", "--timeout=1s", *LOUDLY)

    assert ran.code == ExitCode.PROVIDER_UNOBSERVED
    assert "Redirects are not followed" in said(ran)
    assert not endpoint.world.requests
    assert SECRET not in said(ran)
