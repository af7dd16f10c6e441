"""Credentials that the vendors' libraries find on a machine, with a real process, real files and real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route

from reconciler.model.exit_code import ExitCode
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.contract.dialects.bedrock import ACCESS_KEY
from tests.contract.dialects.services import AZURE_V1, BEDROCK, SAGEMAKER, VERTEX_AI, Service
from tests.support.cli import Checkout
from tests.support.sandbox_server import serve

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")
pytest.importorskip("google.auth", reason="pip install 'llm-job-reconciler[google]'")

SECRET = "canary-secret-access-key"  # noqa: S105 - a canary
TOKEN = "canary-token-of-the-machine"  # noqa: S105 - a canary
ROLE_TOKEN = "canary-token-of-a-role"  # noqa: S105 - a canary
JOBS = ("ftjob-runaway", "ftjob-second", "ftjob-third")
AWS_KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
NOT_IN_A_CLOUD = {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec:
  type: {type}
  options: {options}
  rateLimit: {{requestsPerSecond: 1000, burst: 1000}}
  {more}
"""


@dataclass(frozen=True, slots=True)
class Cloud:
    """A service of a vendor, and the variables with which a machine of the vendor's cloud uses it."""

    service: Service
    secret: str
    url_variable: str
    key_variable: str
    extra: str
    package: str


CLOUDS = {
    each.service.type: each
    for each in (
        Cloud(BEDROCK, SECRET, "AWS_ENDPOINT_URL_BEDROCK", "AWS_ACCESS_KEY_ID", "aws", "botocore"),
        Cloud(SAGEMAKER, SECRET, "AWS_ENDPOINT_URL_SAGEMAKER", "AWS_ACCESS_KEY_ID", "aws", "botocore"),
        Cloud(VERTEX_AI, TOKEN, "GOOGLE_VERTEX_BASE_URL", "GOOGLE_APPLICATION_CREDENTIALS", "google", "google"),
    )
}


AZURE = Cloud(AZURE_V1, TOKEN, "AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_API_KEY", "azure", "azure")
NOWHERE = "http://127.0.0.1:9"

each_cloud = pytest.mark.parametrize("cloud", CLOUDS.values(), ids=CLOUDS)
each_library = pytest.mark.parametrize("cloud", [CLOUDS["bedrock"], CLOUDS["vertex-ai"]], ids=["aws", "google"])


@contextmanager
def a_cloud(cloud: Cloud, gave: list[str] | None = None) -> Iterator[str]:
    """Serve a world with running jobs, an endpoint that exchanges keys for tokens, and one with the keys of a role."""
    gave = [] if gave is None else gave
    began_at = datetime.now(UTC)
    jobs = [{"id": each, "age": "2h", "life": [{"phase": "running"}]} for each in JOBS]
    world = World(SandboxOptions.model_validate({"jobs": jobs}), began_at)
    api = cloud.service.front(create_app(world, lambda: datetime.now(UTC), api_key=cloud.secret), cloud.secret)

    async def exchange(_: object) -> JSONResponse:
        gave.append("token")
        return JSONResponse({"access_token": TOKEN, "expires_in": 3600})

    async def role(_: object) -> JSONResponse:
        gave.append("keys")
        until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
        keys = {"AccessKeyId": ACCESS_KEY, "SecretAccessKey": SECRET, "Token": ROLE_TOKEN, "Expiration": until}
        return JSONResponse(keys)

    app = Starlette(routes=[Route("/token", exchange, methods=["POST"]), Route("/role", role), Mount("/", api)])
    with serve(app) as url:
        yield url.removesuffix("/v1")


def a_checkout(root: Path, cloud: Cloud, more: str = "", **environ: str) -> Checkout:
    checkout = Checkout(root, NOT_IN_A_CLOUD | environ)
    checkout.write(
        "main.yaml", PROVIDER.format(type=cloud.service.type, options=json.dumps(cloud.service.options), more=more)
    )
    checkout.want("runaway", "ftjob-runaway")
    return checkout


def keys_of(root: Path, url: str) -> dict[str, str]:
    """Return the variables of a machine that has credentials for both vendors."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with google-auth
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    pem = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": pem.decode(),
        "client_email": "reconcile@p.iam.gserviceaccount.com",
        "token_uri": f"{url}/token",
    }
    file = root / "service-account.json"
    file.write_text(json.dumps(account), encoding="utf-8")
    return AWS_KEYS | {"GOOGLE_APPLICATION_CREDENTIALS": str(file)}


@each_cloud
def test_ambient_credentials_cancel_a_job_and_confirm_it(tmp_path: Path, cloud: Cloud) -> None:
    with a_cloud(cloud) as url:
        checkout = a_checkout(tmp_path, cloud, **keys_of(tmp_path, url), **{cloud.url_variable: url})
        asks, sees = checkout.run("--once"), checkout.run("--once")
    said = asks.out + asks.err + sees.out + sees.err

    assert (asks.code, sees.code) == (0, 0), said
    assert checkout.status("runaway").receipts[0].outcome == "cancelled"
    assert not any(secret in said for secret in (SECRET, TOKEN))


@each_library
def test_ambient_credentials_are_not_sent_to_a_host_that_only_a_spec_names(tmp_path: Path, cloud: Cloud) -> None:
    with a_cloud(cloud) as url:
        ran = a_checkout(tmp_path, cloud, f"baseUrl: {url}", **keys_of(tmp_path, url)).run("--once")

    assert ran.code == ExitCode.CONFIGURATION
    assert f"{cloud.key_variable} is not bound" in ran.out + ran.err


@each_library
def test_the_error_for_missing_ambient_credentials_names_what_to_set(tmp_path: Path, cloud: Cloud) -> None:
    ran = a_checkout(tmp_path, cloud).run("--once")

    assert ran.code == ExitCode.CONFIGURATION
    assert f"set {cloud.key_variable}" in " ".join((ran.out + ran.err).split())


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "cloud", [CLOUDS["bedrock"], CLOUDS["sagemaker"], CLOUDS["vertex-ai"], AZURE], ids=lambda cloud: cloud.service.type
)
def test_the_error_for_a_missing_library_shows_the_install_command(tmp_path: Path, cloud: Cloud) -> None:
    missing = tmp_path / "path" / cloud.package / "__init__.py"
    missing.parent.mkdir(parents=True)
    missing.write_text("raise ImportError\n", encoding="utf-8")
    environ = {"PYTHONPATH": str(tmp_path / "path"), cloud.url_variable: NOWHERE}
    ran = a_checkout(tmp_path, cloud, **environ).run("--once")

    assert ran.code == ExitCode.CONFIGURATION
    assert f"pip install 'llm-job-reconciler[{cloud.extra}]'" in " ".join((ran.out + ran.err).split())


@each_library
def test_concurrent_requests_share_one_token_request(tmp_path: Path, cloud: Cloud) -> None:
    gave: list[str] = []
    with a_cloud(cloud, gave) as url:
        environ = keys_of(tmp_path, url) | {cloud.url_variable: url}
        if cloud.package == "botocore":
            environ = {cloud.url_variable: url, "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{url}/role"}
        checkout = a_checkout(tmp_path, cloud, **environ)
        for job_id in JOBS:
            checkout.want(job_id.removeprefix("ftjob-"), job_id, "observed")
        ran = checkout.run("--once")

    assert ran.code == 0, ran.out + ran.err
    assert len(gave) == 1
    assert not any(secret in ran.out + ran.err for secret in (SECRET, TOKEN, ROLE_TOKEN))
