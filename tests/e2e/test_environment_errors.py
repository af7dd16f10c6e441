"""Errors of the environment, in one table: disks, permissions, networks, proxies and certificates.

`python -m tests.e2e.test_environment_errors` prints the table as Markdown. Each case is a real process, with a job to
cancel beside the error.
"""

from __future__ import annotations

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import HTTPServer, SimpleHTTPRequestHandler
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.support.cli import RECONCILE, SPEC, Ran
from tests.support.in_process_command import Workspace
from tests.support.threaded_server import serving

HOSTED = SPEC.format(name="far", provider="openai", job_id="ftjob-far", state="cancelled")
KEY = "sk-live-123456789"
OPENAI = {"OPENAI_API_KEY": KEY}
NOWHERE = {**OPENAI, "OPENAI_BASE_URL": "https://nowhere.invalid/v1"}
NO_RIGHTS = ("setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-dac_override,-dac_read_search")
"""Makes file permissions apply to root."""


@dataclass(frozen=True, slots=True)
class Case:
    """One error of the environment. `told` has parts of the output. With `stops`, the job is not cancelled."""

    code: int
    told: tuple[str, ...]
    environ: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    prepare: Callable[[Workspace, ExitStack], dict[str, str]] = lambda _desk, _stack: {}
    """Causes the error, and returns more variables. Skips the test if that is impossible."""
    prefix: tuple[str, ...] = ()
    stops: bool = False


def _far_job(workspace: Workspace, _: ExitStack) -> dict[str, str]:
    workspace.write("far.yaml", HOSTED)
    return {}


def _unreadable_file(workspace: Workspace, _: ExitStack) -> dict[str, str]:
    workspace.want("bad", "cancelled").chmod(0)
    return {}


def _unreadable_file_beside_settings(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
    workspace.write("settings.yaml", "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: s}\nspec: {}\n")
    return _unreadable_file(workspace, stack)


def _unreadable_directory(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
    folder = workspace.write("team/bad.yaml", "").parent
    folder.chmod(0)
    stack.callback(folder.chmod, 0o755)
    return {}


def _disk(options: str) -> Callable[[Workspace, ExitStack], dict[str, str]]:
    def prepare(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
        status = workspace.specs / "status"
        status.mkdir()
        mount = ["mount", "-t", "tmpfs", "-o", options, "none", str(status)]
        if subprocess.run(mount, capture_output=True, check=False).returncode:
            pytest.skip("only root can mount a disk")
        stack.callback(subprocess.run, ["umount", str(status)], check=True)
        if "ro" not in options:
            (status / "filler").write_bytes(b"x" * 4096)
        return {}

    return prepare


def _no_socks(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
    if find_spec("socksio"):
        pytest.skip("the extra `socks` of httpx is installed, so a SOCKS proxy works")
    return _far_job(workspace, stack)


@contextmanager
def _web_server(certificate: Path | None = None) -> Iterator[int]:
    """Serve pages that are no API, on a free port."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Log nothing."""

        def do_GET(self) -> None:
            """Respond with a page, like a proxy that requires a login."""
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>Please log in</html>")

    server = HTTPServer(("127.0.0.1", 0), Quiet)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # the test makes a client close its connection
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server):
        yield server.server_port


def _self_signed(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt install openssl")
    certificate = workspace.root / "own.pem"
    make = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {certificate} -out {certificate}.crt"
    subprocess.run(["openssl", *make.split()], check=True, capture_output=True)
    certificate.write_text(certificate.read_text() + Path(f"{certificate}.crt").read_text(), encoding="utf-8")
    port = stack.enter_context(_web_server(certificate))
    _far_job(workspace, stack)
    return {"OPENAI_BASE_URL": f"https://localhost:{port}/v1"}


def _page(scheme: str) -> Callable[[Workspace, ExitStack], dict[str, str]]:
    def prepare(workspace: Workspace, stack: ExitStack) -> dict[str, str]:
        _far_job(workspace, stack)
        return {"OPENAI_BASE_URL": f"{scheme}://127.0.0.1:{stack.enter_context(_web_server())}/v1"}

    return prepare


CASES: dict[str, Case] = {
    "unreadable file": Case(
        65,
        (
            "specs/bad.yaml: the file cannot be read: Permission denied",
            "specs/bad.yaml: it may contain Settings, so no change is requested",
        ),
        prepare=_unreadable_file,
        prefix=NO_RIGHTS,
        stops=True,
    ),
    "unreadable file beside Settings": Case(
        65,
        ("specs/bad.yaml: the file cannot be read: Permission denied",),
        prepare=_unreadable_file_beside_settings,
        prefix=NO_RIGHTS,
    ),
    "unreadable directory": Case(
        65,
        (
            "specs/team: the directory cannot be read: Permission denied",
            "specs/team: it may contain Settings, so no change is requested",
        ),
        prepare=_unreadable_directory,
        prefix=NO_RIGHTS,
        stops=True,
    ),
    "full disk": Case(
        70,
        ("chat: the intent could not be written, so no request was sent: No space left on device",),
        prepare=_disk("size=4k"),
        stops=True,
    ),
    "read-only disk": Case(
        70,
        ("chat: the intent could not be written, so no request was sent: Read-only file system",),
        prepare=_disk("ro"),
        stops=True,
    ),
    "state directory that cannot be made": Case(
        78,
        ("the state directory /proc/nowhere cannot be used", "name another directory with --state-dir"),
        arguments=("--state-dir", "/proc/nowhere"),
        stops=True,
    ),
    "no network": Case(69, ("cannot connect to nowhere.invalid: ",), NOWHERE, ("--timeout", "0s"), prepare=_far_job),
    "proxy that is not there": Case(
        69,
        ("cannot connect to nowhere.invalid: ", "(through the proxy 127.0.0.1)"),
        {**NOWHERE, "HTTPS_PROXY": f"http://me:{KEY}@127.0.0.1:9"},
        ("--timeout", "0s"),
        prepare=_far_job,
    ),
    "proxy that is no address": Case(
        78,
        ("cannot connect to nowhere.invalid: HTTPS_PROXY or ALL_PROXY is not an address",),
        {**NOWHERE, "HTTPS_PROXY": f"gopher://{KEY}"},
        prepare=_far_job,
    ),
    "SOCKS proxy, without what it needs": Case(
        78,
        ("httpx needs an extra for a SOCKS proxy: pip install 'httpx[socks]'",),
        {**NOWHERE, "ALL_PROXY": "socks5://127.0.0.1:9"},
        prepare=_no_socks,
    ),
    "bad certificate": Case(
        69,
        (
            "the TLS connection to localhost",
            "failed: certificate verify failed: self",
            "set SSL_CERT_FILE",
        ),
        OPENAI,
        ("--timeout", "0s"),
        prepare=_self_signed,
    ),
    "certificates that are not there": Case(
        78,
        ("the certificates that SSL_CERT_FILE names cannot be read: No such file or directory",),
        {**NOWHERE, "SSL_CERT_FILE": "/nowhere.pem"},
        prepare=_far_job,
    ),
    "https to a server that speaks http": Case(
        69, ("the TLS connection to 127.0.0.1",), OPENAI, ("--timeout", "0s"), prepare=_page("https")
    ),
    "a page in the place of the API": Case(
        69, ("the response (HTTP 200) is not JSON: check the base URL",), OPENAI, prepare=_page("http")
    ),
    "plan that cannot be written": Case(
        70,
        ("/proc/nowhere: ", "; pass another file to --out"),
        arguments=("plan", "--out", "/proc/nowhere"),
        stops=True,
    ),
    "report that cannot be written": Case(
        70,
        ("/proc/nowhere: ", "; pass another file to --code-quality"),
        arguments=("plan", "--code-quality", "/proc/nowhere"),
        stops=True,
    ),
}


def run(workspace: Workspace, case: Case) -> Ran:
    """Cause the error beside a job that is to be cancelled, and run one pass."""
    workspace.declare("ftjob-chat")
    workspace.want("chat", "cancelled")
    usual = {"PATH": os.environ["PATH"], "HOME": str(workspace.root), "XDG_CACHE_HOME": f"{workspace.root}/cache"}
    arguments = case.arguments if case.arguments[:1] == ("plan",) else ("--once", *case.arguments)
    prefix = case.prefix if os.geteuid() == 0 else ()
    with ExitStack() as stack:
        more = case.prepare(workspace, stack)
        done = subprocess.run(
            [*prefix, *RECONCILE, *arguments],
            cwd=workspace.root,
            env={**usual, **case.environ, **more},
            capture_output=True,
            text=True,
            check=False,
        )
    return Ran(done.returncode, done.stdout, done.stderr)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", CASES)
def test_an_environment_error_is_explained_and_stops_only_what_it_must(name: str, tmp_path: Path) -> None:
    case = CASES[name]

    ran = run(Workspace(tmp_path), case)

    assert ran.code == case.code, ran.out + ran.err
    assert all(part in ran.out + ran.err for part in case.told), ran.out + ran.err
    assert "Traceback" not in ran.err
    assert "a bug in" not in ran.err
    assert KEY not in ran.out + ran.err
    assert ("chat: cancel accepted" in ran.out) is not case.stops


def table() -> str:
    """Return the table as Markdown."""
    lines = ["| Trouble | Exit code | As printed |", "|---|---|---|"]
    for name, case in CASES.items():
        with TemporaryDirectory() as root:
            ran = run(Workspace(Path(root)), case)
            told = (ran.err + ran.out).strip().replace(root, ".").replace("|", "\\|").splitlines()
            lines.append(f"| {name} | {ran.code} | {'<br>'.join(f'`{each}`' for each in told if each)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(table())
