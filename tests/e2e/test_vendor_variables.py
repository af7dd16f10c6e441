"""The environment variables of the vendors' own clients that reconcile reads, and how each changes an account."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from reconciler.model.exit_code import ExitCode
from tests.e2e.test_vendor_credentials import a_key_file
from tests.support.cli import Checkout, Ran
from tests.support.jobs_api import a_row
from tests.support.sandbox_server import serve

KEY = "usual-key-0123456789abcdef"
AWS_KEYS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret-0123456789"}
GOOGLE_TOKEN = {"access_token": "ya29.token-0123456789", "expires_in": 3600, "token_type": "Bearer"}


@dataclass
class Heard:
    """A server with every job, which records the headers of requests."""

    headers: list[Mapping[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        """Return the application of the server."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> JSONResponse:
        path = request.url.path
        if path == "/token":
            return JSONResponse(GOOGLE_TOKEN)
        self.headers.append(request.headers)
        self.paths.append(path)
        job_id = path.rpartition("/")[2]
        if "tuningJobs" in path:
            return JSONResponse({"name": f"projects/7/locations/eu/tuningJobs/{job_id}", "state": "JOB_STATE_RUNNING"})
        if "x-amz-target" in request.headers:
            return JSONResponse({"TrainingJobName": "job-1", "TrainingJobStatus": "InProgress"})
        return JSONResponse(a_row(job_id))


@contextmanager
def hearing() -> Iterator[tuple[Heard, str]]:
    heard = Heard()
    with serve(heard.app()) as url:
        yield heard, url.removesuffix("/v1")


def run(root: Path, provider: str, job_id: str, environ: Mapping[str, str], document: str = "") -> tuple[Checkout, Ran]:
    checkout = Checkout(root, {"NO_GCE_CHECK": "true", "AWS_EC2_METADATA_DISABLED": "true", **environ})
    if document:
        checkout.write("provider.yaml", document)
    checkout.want("one", job_id, "observed", provider)
    return checkout, checkout.run("--once", "--timeout", "15s")


OPENAI = {"OPENAI_API_KEY": KEY, "OPENAI_ORG_ID": "org-x", "OPENAI_PROJECT_ID": "proj_x"}


def test_openai_organization_and_project_variables_are_part_of_the_account(tmp_path: Path) -> None:
    with hearing() as (heard, url):
        checkout, ran = run(tmp_path, "openai", "ftjob-1", OPENAI | {"OPENAI_BASE_URL": f"{url}/v1"})
    job = checkout.status("one").job

    assert ran.code == 0, ran.err
    assert (heard.headers[0]["openai-organization"], heard.headers[0]["openai-project"]) == ("org-x", "proj_x")
    assert job is not None
    assert job.account == f"openai {url}/v1 organization=org-x project=proj_x"


def test_statuses_are_readable_where_the_openai_variables_are_not_set(tmp_path: Path) -> None:
    with hearing() as (_, url):
        checkout, _ = run(tmp_path, "openai", "ftjob-1", OPENAI | {"OPENAI_BASE_URL": f"{url}/v1"})
    shown = Checkout(tmp_path).run("get", "-o", "json")

    assert shown.code == 0
    assert "OutOfDate" not in shown.out
    assert checkout.status("one").final is False


def test_options_in_a_document_override_the_openai_variables(tmp_path: Path) -> None:
    written = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec:
  type: openai
  baseUrl: {url}/v1
  {more}
"""
    with hearing() as (heard, url):
        host = url.removeprefix("http://")
        environ = OPENAI | {"OPENAI_BASE_URL": f"{url}/v1", "TEAM": KEY, "RECONCILE_TRUST": f"TEAM={host}"}
        own = written.format(url=url, more="options: {project: proj_mine}")
        run(tmp_path / "own", "main", "ftjob-1", environ, own)
        run(tmp_path / "team", "main", "ftjob-1", environ, written.format(url=url, more="credentials: {env: TEAM}"))

    assert heard.headers[0]["openai-project"] == "proj_mine"
    assert "openai-project" not in heard.headers[1]


def test_an_invalid_vendor_variable_is_reported_by_its_name(tmp_path: Path) -> None:
    _, ran = run(tmp_path, "openai", "ftjob-1", {"OPENAI_API_KEY": KEY, "OPENAI_PROJECT_ID": "a b"})

    assert ran.code == ExitCode.STALLED
    assert "the variable OPENAI_PROJECT_ID" in ran.out + ran.err


def test_the_default_azure_key_variable_is_used_without_a_document(tmp_path: Path) -> None:
    with hearing() as (heard, url):
        environ = {"AZURE_OPENAI_API_KEY": KEY, "AZURE_OPENAI_ENDPOINT": url}
        _, ran = run(tmp_path, "azure-openai", "ftjob-1", environ)

    assert ran.code == 0, ran.err
    assert heard.headers[0]["api-key"] == KEY


def test_an_entra_token_named_by_a_document_is_sent_as_a_bearer_token(tmp_path: Path) -> None:
    token = ".".join(base64.urlsafe_b64encode(each).decode() for each in (b'{"typ":"JWT"}', b"{}", b"signature"))
    document = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {name: main}
spec: {type: azure-openai, credentials: {env: AZURE_OPENAI_AD_TOKEN}}
"""
    with hearing() as (heard, url):
        trust = f"AZURE_OPENAI_AD_TOKEN={url.removeprefix('http://')}"
        environ = {"AZURE_OPENAI_AD_TOKEN": token, "AZURE_OPENAI_ENDPOINT": url, "RECONCILE_TRUST": trust}
        _, ran = run(tmp_path, "main", "ftjob-1", environ, document)

    assert ran.code == 0, ran.err
    assert heard.headers[0]["authorization"] == f"Bearer {token}"


@pytest.mark.sampled(each="region")
@pytest.mark.parametrize("variable", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SAGEMAKER"])
@pytest.mark.parametrize("region", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_aws_endpoint_and_region_variables_are_used(tmp_path: Path, variable: str, region: str) -> None:
    pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")
    with hearing() as (heard, url):
        checkout, ran = run(tmp_path, "sagemaker", "job-1", AWS_KEYS | {variable: url, region: "eu-west-1"})
    job = checkout.status("one").job

    assert ran.code == 0, ran.err
    assert "/eu-west-1/sagemaker/" in heard.headers[0]["authorization"]
    assert job is not None
    assert job.account == f"sagemaker {url} region=eu-west-1"


@pytest.mark.parametrize("where", ["variable", "file"])
def test_the_google_quota_project_is_sent(tmp_path: Path, where: str) -> None:
    pytest.importorskip("google.auth", reason="pip install 'llm-job-reconciler[google]'")
    with hearing() as (heard, url):
        more = {"quota_project_id": "quota-1"} if where == "file" else {}
        (tmp_path / "key.json").write_text(json.dumps(a_key_file(f"{url}/token") | more), encoding="utf-8")
        environ = {
            "GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json"),
            "GOOGLE_VERTEX_BASE_URL": url,
            "GOOGLE_CLOUD_PROJECT": "p-1",
            "GOOGLE_CLOUD_LOCATION": "eu",
            **({"GOOGLE_CLOUD_QUOTA_PROJECT": "quota-1"} if where == "variable" else {}),
        }
        _, ran = run(tmp_path, "vertex-ai", "projects/7/locations/eu/tuningJobs/123", environ)

    assert ran.code == 0, ran.err
    assert heard.paths == ["/v1/projects/p-1/locations/eu/tuningJobs/123"]
    assert heard.headers[0]["x-goog-user-project"] == "quota-1"


def test_a_litellm_managed_id_is_a_valid_id(tmp_path: Path) -> None:
    told = f"litellm_proxy;model_id:{'a1b2c3d4' * 8};generic_response_id:ftjob-{'abc123' * 4}"
    managed = base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")
    with hearing() as (heard, url):
        environ = {"LITELLM_PROXY_API_KEY": KEY, "LITELLM_PROXY_API_BASE": url}
        _, ran = run(tmp_path, "litellm", managed, environ)

    assert ran.code == 0, ran.err
    assert heard.paths == [f"/v1/fine_tuning/jobs/{managed}"]
