"""How credentials from the vendors' libraries fail: the exit code and the message of each failure.

Each test runs a real process with the real library, against endpoints on loopback that respond as the vendor's do.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import pty
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reconciler.model.exit_code import ExitCode
from tests.support.cli import RECONCILE, Checkout, Ran
from tests.support.sandbox_client import wait_for
from tests.support.sandbox_server import serve
from tests.support.watch_process import watching

pytest.importorskip("botocore", reason="pip install 'llm-job-reconciler[aws]'")
pytest.importorskip("google.auth", reason="pip install 'llm-job-reconciler[google]'")

CANARY = "canary-0123456789abcdef"
ROLE = "arn:aws:iam::123456789012:role/trainer"
KEYS = "aws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n"
BY_ROLE = f"[profile p]\nrole_arn={ROLE}\nsource_profile=base\nregion=us-east-1\n[profile base]\n{KEYS}"
BY_SSO = (
    "[profile p]\nsso_session=s\nsso_account_id=123456789012\nsso_role_name=Trainer\nregion=us-east-1\n"
    "[sso-session s]\nsso_region=us-east-1\nsso_start_url=https://x.awsapps.com/start\n"
)
NOT_IN_A_CLOUD = {"AWS_EC2_METADATA_DISABLED": "true", "NO_GCE_CHECK": "true"}
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec:
  type: {type}
  baseUrl: {url}
  options: {options}
"""
OPTIONS = {
    "sagemaker": "{region: us-east-1}",
    "vertex-ai": "{project: p-1, location: us-central1}",
    "azure-openai": "{}",
}
KEY_VARIABLES = {
    "sagemaker": "AWS_ACCESS_KEY_ID",
    "vertex-ai": "GOOGLE_APPLICATION_CREDENTIALS",
    "azure-openai": "AZURE_OPENAI_API_KEY",
}


@dataclass
class Vendor:
    """A source of credentials, and the API that they are for. A test determines the responses of both."""

    status: int = 403
    body: object = None
    kind: str = "application/json"
    asked: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        """Return an application with both."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST", "PUT"])])

    async def _answer(self, request: Request) -> Response:
        path = request.url.path
        self.asked.append(path)
        if "tuningJobs" in path:
            return JSONResponse({"name": "projects/1/locations/us-central1/tuningJobs/1", "state": "JOB_STATE_RUNNING"})
        if "x-amz-target" in request.headers:
            return JSONResponse({"TrainingJobName": "job-1", "TrainingJobStatus": "InProgress"})
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        return Response(body, self.status, media_type=self.kind)


@contextmanager
def a_vendor(**answer: object) -> Iterator[tuple[Vendor, str]]:
    vendor = Vendor(**answer)  # type: ignore[arg-type]
    with serve(vendor.app()) as url:
        yield vendor, url.removesuffix("/v1")


def a_checkout(root: Path, type_: str, url: str, **environ: str) -> Checkout:
    trust = f"{KEY_VARIABLES[type_]}={url.removeprefix('http://')}"
    checkout = Checkout(root, NOT_IN_A_CLOUD | {"RECONCILE_TRUST": trust} | environ)
    checkout.write("main.yaml", PROVIDER.format(type=type_, url=url, options=OPTIONS[type_]))
    checkout.want("one", "1" if type_ == "vertex-ai" else "job-1", "observed")
    return checkout


def with_profile(root: Path, config: str, **environ: str) -> dict[str, str]:
    """Return the variables of a machine with this AWS configuration."""
    (root / "aws").write_text(config, encoding="utf-8")
    return {"AWS_PROFILE": "p", "AWS_CONFIG_FILE": str(root / "aws")} | environ


def a_program(root: Path, text: str) -> str:
    """Return the path of a program that is these lines of Python."""
    path = root / "program"
    path.write_text(f"#!{sys.executable}\n{text}\n", encoding="utf-8")
    path.chmod(0o755)
    return str(path)


def told(ran: Ran) -> str:
    return " ".join((ran.out + ran.err).split())


def check_told(ran: Ran, *words: str) -> None:
    """Check that the error is a missing credential with this message, and that it contains none of the inputs."""
    assert ran.code == ExitCode.CONFIGURATION, told(ran)
    assert all(each in told(ran) for each in words), told(ran)
    assert CANARY not in told(ran)


# --- AWS ---

STS_REFUSAL = f"""\
<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code>\
<Message>{CANARY}</Message></Error><RequestId>r</RequestId></ErrorResponse>"""


def test_a_denied_role_is_reported_by_code_and_operation(tmp_path: Path) -> None:
    with a_vendor(body=STS_REFUSAL, kind="text/xml") as (_, url):
        environ = with_profile(tmp_path, BY_ROLE, AWS_ENDPOINT_URL_STS=url)
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "AWS credentials could not be obtained", "refused the request (AccessDenied from AssumeRole)")


def test_a_denied_web_identity_is_reported_by_code_and_operation(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(CANARY, encoding="utf-8")
    environ = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"), "AWS_REGION": "us-east-1"}
    with a_vendor(body=STS_REFUSAL, kind="text/xml") as (_, url):
        ran = a_checkout(tmp_path, "sagemaker", url, AWS_ENDPOINT_URL_STS=url, **environ).run(
            "--once", "--timeout", "15s"
        )

    check_told(ran, "refused the request (AccessDenied from AssumeRoleWithWebIdentity)")


def test_a_missing_web_identity_file_is_reported_without_the_variables_value(tmp_path: Path) -> None:
    environ = {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": f"/none/{CANARY}", "AWS_REGION": "us-east-1"}
    with a_vendor() as (_, url):
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "the settings that they come from are incomplete or invalid (FileNotFoundError)")


def test_a_role_denied_by_sso_is_reported_by_code_and_operation(tmp_path: Path) -> None:
    cache = tmp_path / ".aws/sso/cache"
    cache.mkdir(parents=True)
    login = {"accessToken": CANARY, "expiresAt": "2099-01-01T00:00:00Z", "region": "us-east-1", "startUrl": "x"}
    name = hashlib.sha1(b"s", usedforsecurity=False).hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(login), encoding="utf-8")
    with a_vendor(body={"message": CANARY, "__type": "ForbiddenException"}) as (_, url):
        environ = with_profile(tmp_path, BY_SSO, AWS_ENDPOINT_URL_SSO=url)
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "refused the request (ForbiddenException from GetRoleCredentials)")


def test_an_expired_sso_login_is_reported(tmp_path: Path) -> None:
    with a_vendor() as (_, url):
        environ = with_profile(tmp_path, BY_SSO, AWS_ENDPOINT_URL_SSO=url)
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "they, or the login that they come from, have expired")


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "program",
    [
        f"import sys; print('{CANARY}', file=sys.stderr); sys.exit(3)",
        f"print('please log in: {CANARY}')",
        f"print('[\"{CANARY}\"]')",
        f'print(\'{{"Version": 2, "SecretAccessKey": "{CANARY}"}}\')',
        f'print(\'{{"Version": 1, "SecretAccessKey": "{CANARY}"}}\')',
        f"import sys; sys.stdout.buffer.write(b'\\xff{CANARY}')",
    ],
    ids=["fails", "prints words", "prints a list", "another version", "lacks a key", "prints bytes"],
)
def test_a_failed_credential_process_is_reported_without_its_output(tmp_path: Path, program: str) -> None:
    with a_vendor() as (_, url):
        environ = with_profile(tmp_path, f"[profile p]\ncredential_process={a_program(tmp_path, program)}\n")
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "the program that prints them failed", "credential_process")


def test_a_missing_credential_process_is_reported_without_its_command_line(tmp_path: Path) -> None:
    with a_vendor() as (_, url):
        environ = with_profile(tmp_path, f"[profile p]\ncredential_process=/none/vault --key {CANARY}\n")
        ran = a_checkout(tmp_path, "sagemaker", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "credential_process, FileNotFoundError")


def test_a_profile_that_needs_an_mfa_code_never_prompts(tmp_path: Path) -> None:
    with a_vendor() as (vendor, url), a_terminal() as terminal:
        config = BY_ROLE.replace("region=", "mfa_serial=arn:aws:iam::123456789012:mfa/ada\nregion=")
        checkout = a_checkout(tmp_path, "sagemaker", url, **with_profile(tmp_path, config, AWS_ENDPOINT_URL_STS=url))
        alone = (sys.executable, "-c", ON_ITS_TERMINAL, terminal, *RECONCILE)
        ran = checkout.run("--once", "--timeout", "15s", program=alone)

    check_told(ran, "which reconcile does not support (an MFA code)")
    assert vendor.asked == []


@contextmanager
def a_terminal() -> Iterator[str]:
    """Yield the name of a terminal without input."""
    ours, theirs = pty.openpty()
    try:
        yield os.ttyname(theirs)
    finally:
        os.close(theirs)
        os.close(ours)


ON_ITS_TERMINAL = """\
import fcntl, os, sys, termios
os.setsid()
terminal = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
os.dup2(terminal, 0)
os.execvp(sys.argv[2], sys.argv[2:])
"""
"""Runs a command on its own terminal, for programs that read `/dev/tty` and not standard input."""


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", f"{CANARY}\n"),
        ("AWS_SECRET_ACCESS_KEY", f"{CANARY}\n"),
        ("AWS_SESSION_TOKEN", f"{CANARY}ß"),
    ],
)
def test_a_key_with_an_invalid_character_is_reported_and_not_sent(tmp_path: Path, name: str, value: str) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI", name: value}
    with a_vendor() as (vendor, url):
        ran = a_checkout(tmp_path, "sagemaker", url, **keys).run("--once", "--timeout", "15s")

    check_told(
        ran, "AWS credentials could not be obtained", "a key contains an invalid character, such as a line break"
    )
    assert vendor.asked == []


# --- Google ---


def a_key_file(token_uri: str) -> dict[str, str]:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - comes with google-auth
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415

    pem = rsa.generate_private_key(public_exponent=65_537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    account = {"type": "service_account", "project_id": "p-1", "private_key_id": "1", "private_key": pem.decode()}
    return account | {"client_email": "robot@p-1.iam.gserviceaccount.com", "token_uri": token_uri}


@pytest.mark.parametrize("is_base64", [False, True], ids=["json", "base64"])
def test_a_key_in_place_of_a_file_path_is_reported_without_any_part_of_it(
    tmp_path: Path,
    is_base64: bool,  # noqa: FBT001
) -> None:
    with a_vendor() as (_, url):
        text = json.dumps(a_key_file(url))
        value = base64.b64encode(text.encode()).decode() if is_base64 else text
        checkout = a_checkout(tmp_path, "vertex-ai", url, GOOGLE_APPLICATION_CREDENTIALS=value)
        ran = checkout.run("--once", "--timeout", "15s", "-v", "-o", "json")
        files = "".join(each.read_text(errors="replace") for each in tmp_path.rglob("*") if each.is_file())

    check_told(ran, "GOOGLE_APPLICATION_CREDENTIALS is not a path; perhaps it is the key itself")
    assert not any(value[at : at + 24] in told(ran) + files for at in range(0, len(value) - 24, 8))


@pytest.mark.sampled(1)
@pytest.mark.parametrize(
    "text", [f"{{{CANARY}", f'{{"type": "{CANARY}"}}', f'{{"type": "service_account", "x": "{CANARY}"}}']
)
def test_an_invalid_key_file_is_reported_without_its_contents(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text, encoding="utf-8")
    with a_vendor() as (_, url):
        environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
        ran = a_checkout(tmp_path, "vertex-ai", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "Google credentials could not be obtained: the settings that they come from are", "invalid")


def test_a_revoked_google_key_is_reported_by_its_error_code(tmp_path: Path) -> None:
    with a_vendor(status=400, body={"error": "invalid_grant", "error_description": CANARY}) as (_, url):
        (tmp_path / "key.json").write_text(json.dumps(a_key_file(f"{url}/token")), encoding="utf-8")
        environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
        ran = a_checkout(tmp_path, "vertex-ai", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "refused the request (invalid_grant, HTTP 400)")


# --- Microsoft Entra ---


@pytest.mark.parametrize(
    ("status", "code"),
    [(500, ExitCode.PROVIDER_UNOBSERVED), (429, ExitCode.PROVIDER_UNOBSERVED), (403, ExitCode.CONFIGURATION)],
)
def test_a_failed_identity_endpoint_is_an_outage_or_a_denial(tmp_path: Path, status: int, code: ExitCode) -> None:
    pytest.importorskip("azure.identity", reason="pip install 'llm-job-reconciler[azure]'")
    with a_vendor(status=status, body={"error": {"code": "x", "message": CANARY}}) as (_, url):
        environ = {
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "IDENTITY_ENDPOINT": url,
            "IDENTITY_HEADER": "header",
        }
        ran = a_checkout(tmp_path, "azure-openai", url, **environ).run("--once", "--timeout", "3s")

    assert ran.code == code, told(ran)
    assert CANARY not in told(ran)


@pytest.mark.parametrize("name", ["InteractiveBrowserCredential", "NoSuchCredential"])
def test_entra_never_opens_a_browser(tmp_path: Path, name: str) -> None:
    pytest.importorskip("azure.identity", reason="pip install 'llm-job-reconciler[azure]'")
    browser = a_program(tmp_path, f"open({str(tmp_path / 'opened')!r}, 'w')")
    with a_vendor() as (_, url):
        environ = {"AZURE_TOKEN_CREDENTIALS": name, "BROWSER": browser}
        ran = a_checkout(tmp_path, "azure-openai", url, **environ).run("--once", "--timeout", "15s")

    check_told(ran, "Microsoft Entra credentials could not be obtained")
    assert not (tmp_path / "opened").exists()


# --- outages and libraries that hang ---


def test_a_token_endpoint_that_fails_for_seconds_is_retried(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    with a_vendor() as (_, url):
        (tmp_path / "key.json").write_text(json.dumps(a_key_file(f"http://127.0.0.1:{port}/token")), encoding="utf-8")
        environ = {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")}
        back = threading.Timer(4, _serve_token, [port])
        back.start()
        ran = a_checkout(tmp_path, "vertex-ai", url, **environ).run("--once", "--timeout", "25s")
        back.join()

    assert ran.code == 0, told(ran)


def _serve_token(port: int) -> None:
    """Send a token to the first client. The function also ends if no client connects."""
    body = json.dumps({"access_token": CANARY, "expires_in": 3600, "token_type": "Bearer"}).encode()
    with socket.create_server(("127.0.0.1", port)) as server, suppress(TimeoutError):
        server.settimeout(20)
        connection, _ = server.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n")
            connection.sendall(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))


@pytest.mark.long
def test_a_credential_library_that_hangs_does_not_delay_a_stop(tmp_path: Path) -> None:
    with a_vendor() as (_, url):
        program = a_program(tmp_path, f"import time; open({str(tmp_path / 'begun')!r}, 'w'); time.sleep(120)")
        environ = with_profile(tmp_path, f"[profile p]\ncredential_process={program}\n")
        with watching(a_checkout(tmp_path, "sagemaker", url, **environ)) as watch:
            wait_for((tmp_path / "begun").exists, "the credential program runs")
            begun = time.monotonic()
            code = watch.stop(signal.SIGTERM)
            took_s = time.monotonic() - begun

    assert code == 0
    assert took_s < 25
