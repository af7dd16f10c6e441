"""The container image, built by buildah and run by runc: see `.ci/lanes/image`."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Mount, Route

from reconciler.formats.status_parser import parse_status
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import World
from tests.contract.dialects import bedrock
from tests.contract.dialects.services import BEDROCK, SAGEMAKER, Service
from tests.support.cli import Checkout, started_sandbox
from tests.support.containers import Container, Image, contained, size_of, unpacked
from tests.support.git_daemon import git_daemon
from tests.support.gitlab_component import checked_out, job_of, variables_of
from tests.support.processes import a_free_port
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.sandbox_server import serve
from tests.support.trace_collector import collecting

IMAGE, BASE = os.environ.get("RECONCILE_IMAGE"), os.environ.get("RECONCILE_IMAGE_BASE", "")
STARTS_WITHIN_S = 60
WHOLE_AT_MOST = 250_000_000
OURS_AT_MOST = 115_000_000
AWS_SECRET = "canary-secret-access-key"  # noqa: S105 - a canary
AWS_PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec: {{type: {type}, options: {options}, rateLimit: {{requestsPerSecond: 1000, burst: 1000}}}}
"""
STS_ANSWER = """\
<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult>
<Credentials><AccessKeyId>{key}</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>
<SessionToken>session</SessionToken><Expiration>{until}</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>
"""
AWS = """
from botocore.session import get_session
for name in ("sts", "sso", "sso-oidc", "signin"):
    get_session().create_client(name, region_name="eu-west-1")
"""
NOBODY = 65532
MANIFESTS = Path(__file__).parents[2] / ".github" / "deploy" / "kubernetes.yaml"
KEY_FILE = "/run/secrets/reconcile/openai-key"

pytestmark = pytest.mark.skipif(IMAGE is None, reason="no image: .ci/lanes/image builds and runs it")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with unpacked(str(IMAGE)) as image:
        yield image


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    with started_sandbox(tmp_path_factory.mktemp("sandbox"), "--port", "0") as url:
        yield Sandbox(url)


def is_well(container: Container) -> bool:
    return container.execute("reconcile", "healthcheck").returncode == 0


def written_in(clone: Clone, sandbox: Sandbox) -> str:
    """Push a spec that requests the cancel of a new job, and return the job's ID."""
    (job_id,) = sandbox.create(1)
    checkout = Checkout(clone.root)
    checkout.name_provider()
    checkout.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    return job_id


def test_the_image_documents_how_to_run_it(image: Image) -> None:
    labels = image.config["Labels"]

    assert image.user() == (NOBODY, NOBODY)
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Healthcheck"]["Test"] == ["CMD", "reconcile", "healthcheck"]
    assert labels["org.opencontainers.image.title"] == "reconcile"
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"


def test_the_image_is_small(record_property: Callable[[str, object], None]) -> None:
    whole, base = size_of(str(IMAGE)), size_of(BASE)
    record_property("image", f"{whole / 1e6:.0f} MB unpacked, of which {(whole - base) / 1e6:.0f} MB above its base")

    assert whole <= WHOLE_AT_MOST
    assert whole - base <= OURS_AT_MOST


def test_the_image_contains_no_build_tools(image: Image) -> None:
    found = [path.name for path in (image.root / "opt" / "reconcile" / "bin").iterdir()]

    assert "reconcile" in found
    assert "pip" not in found
    assert not (image.root / "opt" / "build").exists()
    assert not list((image.root / "opt" / "reconcile").rglob("*.pyc"))


def test_dpkg_leaves_out_no_file_of_a_package_that_is_installed_later(image: Image) -> None:
    excluded = [path.read_text(encoding="utf-8") for path in (image.root / "etc" / "dpkg" / "dpkg.cfg.d").iterdir()]

    assert "perl" not in "".join(excluded)


def test_a_container_cancels_a_job_of_a_remote_and_stops_cleanly(
    image: Image, sandbox: Sandbox, tmp_path: Path
) -> None:
    remote = a_remote(tmp_path / "remotes" / "specs.git")
    clone = a_clone(remote, tmp_path / "ada")
    job_id = written_in(clone, sandbox)
    (tmp_path / "bundle").mkdir()
    listen = f"127.0.0.1:{a_free_port()}"
    environ = {
        **sandbox.environ,
        "RECONCILE_LISTEN": listen,
        "RECONCILE_GIT_POLL": "1s",
        "RECONCILE_PUSH": "true",
    }
    with (
        git_daemon(remote.parent) as address,
        contained(
            image, tmp_path / "bundle", [], {**environ, "RECONCILE_GIT_URL": f"{address}/specs.git"}, {}
        ) as container,
    ):
        wait_for(lambda: sandbox.cancels(job_id), "the job is cancelled", within_s=STARTS_WITHIN_S)
        wait_for(lambda: is_well(container), "its health is green")
        aws = container.execute("python", "-I", "-c", AWS)
        inside = container.execute("sh", "-c", "id -u; cat /proc/1/comm; ssh -V; touch /opt/x /etc/x /tmp/x /x")
        wait_for(lambda: "(Cancelled)" in remote_subjects(clone), "the proof is pushed", within_s=STARTS_WITHIN_S)
        code = container.stop()

    assert aws.returncode == 0, aws.stderr
    assert inside.stdout.split() == [str(NOBODY), "reconcile"]
    assert inside.stderr.count("Read-only file system") == 4
    assert code == 0, container.said()
    assert '"stopped"' in container.said()
    assert sandbox.cancels(job_id) == [job_id]
    assert parse_status(clone.git("show", "origin/main:specs/status/runaway.yaml") + "\n").is_ready


def remote_subjects(clone: Clone) -> str:
    clone.git("fetch", "--quiet")
    return "\n".join(clone.subjects("origin/main"))


def test_a_container_reads_specs_from_a_read_only_directory(image: Image, sandbox: Sandbox, tmp_path: Path) -> None:
    (job_id,) = sandbox.create(1)
    checkout = mounted(tmp_path, job_id)
    code, said = run_once(image, checkout, sandbox.environ)

    assert code == 0, said
    assert "confirmed cancelled" in said
    assert sandbox.cancels(job_id) == [job_id]
    assert not checkout.status_dir.exists()


def mounted(tmp_path: Path, job_id: str) -> Checkout:
    """Return a directory of specs, in which a cancel of this job of the sandbox is wanted."""
    checkout = Checkout(tmp_path / "mounted")
    checkout.name_provider()
    checkout.want("runaway", job_id)
    (tmp_path / "bundle").mkdir()
    return checkout


def run_once(image: Image, checkout: Checkout, environ: Mapping[str, str]) -> tuple[int, str]:
    """Run `--once` in a container over the specs, and return its exit code and its output."""
    command = ["--once", "--wait", "--status-dir", "/state/status"]
    with contained(image, checkout.root.parent / "bundle", command, environ, {"/specs": checkout.specs}) as container:
        code = container.process.wait(timeout=STARTS_WITHIN_S)
    return code, container.said()


def test_a_container_exports_its_traces_to_a_collector(image: Image, sandbox: Sandbox, tmp_path: Path) -> None:
    (job_id,) = sandbox.create(1)
    checkout = mounted(tmp_path, job_id)
    with collecting() as collector:
        code, said = run_once(image, checkout, {**sandbox.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})

    assert code == 0, said
    assert {"reconcile.pass", "reconcile.account", "POST"} <= {each.name for each in collector.spans}, said


@pytest.mark.parametrize("service", [BEDROCK, SAGEMAKER], ids=lambda service: service.type)
def test_the_trimmed_libraries_of_aws_sign_requests_with_the_keys_of_a_role(
    image: Image, tmp_path: Path, service: Service
) -> None:
    job = {"id": "ftjob-runaway", "age": "2h", "life": [{"phase": "running"}]}
    world = World(SandboxOptions.model_validate({"jobs": [job]}), datetime.now(UTC))
    api = service.front(create_app(world, lambda: datetime.now(UTC), api_key=AWS_SECRET), AWS_SECRET)
    checkout = Checkout(tmp_path / "mounted")
    checkout.write("main.yaml", AWS_PROVIDER.format(type=service.type, options=json.dumps(dict(service.options))))
    checkout.want("runaway", service.job_id("ftjob-runaway"))
    (tmp_path / "bundle").mkdir()
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "token").write_text("identity", encoding="utf-8")
    with serve(Starlette(routes=[Route("/sts/", a_role, methods=["POST"]), Mount("/", api)])) as served:
        url = served.removesuffix("/v1")
        environ = {
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/reconcile",
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/identity/token",
            "AWS_ENDPOINT_URL_STS": f"{url}/sts/",
            f"AWS_ENDPOINT_URL_{service.type.upper()}": url,
        }
        command = ["--once", "--wait", "--status-dir", "/state/status"]
        mounts = {"/specs": checkout.specs, "/identity": tmp_path / "identity"}
        with contained(image, tmp_path / "bundle", command, environ, mounts) as container:
            code = container.process.wait(timeout=STARTS_WITHIN_S)

    assert code == 0, container.said()
    assert "confirmed cancelled" in container.said()


async def a_role(_: object) -> Response:
    """Answer as the Security Token Service does to `AssumeRoleWithWebIdentity`."""
    until = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    return Response(STS_ANSWER.format(key=bedrock.ACCESS_KEY, secret=AWS_SECRET, until=until), media_type="text/xml")


def test_a_second_signal_ends_a_container_at_once(image: Image, sandbox: Sandbox, tmp_path: Path) -> None:
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"on": "cancel", "job": job_id, "fault": "slow", "for": "60s"})
    checkout = Checkout(tmp_path / "mounted")
    checkout.name_provider()
    checkout.want("runaway", job_id)
    (tmp_path / "bundle").mkdir()
    environ = {
        **sandbox.environ,
        "RECONCILE_STATUS_DIR": "/state/status",
        "RECONCILE_LISTEN": f"127.0.0.1:{a_free_port()}",
    }
    with contained(image, tmp_path / "bundle", [], environ, {"/specs": checkout.specs}) as container:
        wait_for(lambda: sandbox.cancels(job_id), "a request is sent", within_s=STARTS_WITHIN_S)
        container.signal("TERM")
        wait_for(lambda: "stopping" in container.said(), "the stop is logged", within_s=STARTS_WITHIN_S)
        code = container.stop()
    sandbox.heal()

    assert code == 128 + 15


def test_the_image_runs_with_the_variables_and_secrets_of_the_manifests(
    image: Image, sandbox: Sandbox, tmp_path: Path
) -> None:
    (manifest,) = [
        each for each in yaml.safe_load_all(MANIFESTS.read_text(encoding="utf-8")) if each["kind"] == "ConfigMap"
    ]
    remote = a_remote(tmp_path / "remotes" / "specs.git")
    clone = a_clone(remote, tmp_path / "ada")
    (job_id,) = sandbox.create(1)
    written = Checkout(clone.root)
    written.name_provider(more=f"baseUrl: {sandbox.url}\n  credentials: {{file: {KEY_FILE}}}")
    written.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "openai-key").write_text(sandbox.key, encoding="utf-8")
    (secrets / "git-token").write_text("not asked for", encoding="utf-8")
    (tmp_path / "bundle").mkdir()
    host = sandbox.url.split("/")[2]
    with git_daemon(remote.parent) as address:
        here = {
            "RECONCILE_GIT_URL": f"{address}/specs.git",
            "RECONCILE_LISTEN": f"127.0.0.1:{a_free_port()}",
            "RECONCILE_TRUST": manifest["data"]["RECONCILE_TRUST"].replace("api.openai.com", host),
        }
        environ = {**manifest["data"], **here}
        with contained(image, tmp_path / "bundle", [], environ, {"/run/secrets/reconcile": secrets}) as container:
            wait_for(lambda: sandbox.cancels(job_id), "the job is cancelled", within_s=STARTS_WITHIN_S)
            wait_for(lambda: "(Cancelled)" in subjects(remote), "the proof is pushed", within_s=STARTS_WITHIN_S)
            code = container.stop()

    assert code == 0, container.said()


def test_the_image_runs_the_jobs_of_gitlab_in_a_checkout_of_another_user(
    image: Image, sandbox: Sandbox, tmp_path: Path
) -> None:
    remote = a_remote(tmp_path / "remotes" / "project.git")
    clone = a_clone(remote, tmp_path / "ada")
    job_id = written_in(clone, sandbox)
    project = checked_out(remote, tmp_path / "build", "refs/heads/main", depth=1).root
    for path in (project, *project.rglob("*")):  # the runner clones as root, without a umask
        path.chmod(0o777 if path.is_dir() else 0o666)
    ended = {}
    with git_daemon(remote.parent) as address:
        for command in ("validate", "plan", "act"):
            job = job_of({"command": command, "image": "reconcile"})
            environ = {
                **sandbox.environ,
                **variables_of(job),
                "CI_COMMIT_BRANCH": "main",
                "CI_PROJECT_DIR": "/builds/project",
                "CI_PROJECT_URL": f"{address}/project",
                "CI_REPOSITORY_URL": f"{address}/project.git",
                "CI_SERVER_URL": "https://gitlab.example",
                "GITLAB_CI": "true",
            }
            bundle = tmp_path / f"bundle-{command}"
            bundle.mkdir()
            shell = ["sh", "-c", "\n".join(["set -e", *job["script"]])]
            with contained(image, bundle, shell, environ, {}, build=("/builds/project", project)) as container:
                ended[command] = container.process.wait(timeout=STARTS_WITHIN_S), container.said()

    assert [code for code, _ in ended.values()] == [0, 0, 0], ended
    assert "Plan: 1 to cancel" in ended["plan"][1]
    assert sandbox.cancels(job_id) == [job_id]
    assert "(Cancelled)" in subjects(remote)
    assert (project / "reconcile-reports" / "reconcile-act" / "outputs.env").exists()


def subjects(remote: Path) -> str:
    found = Clone(remote).git("for-each-ref", "--format=%(refname:short)").split()
    return "\n".join(Clone(remote).subjects("reconcile-status")) if "reconcile-status" in found else ""
