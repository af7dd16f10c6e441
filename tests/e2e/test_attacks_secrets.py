"""Attacks on secrets by a careless or hostile provider, gateway or watchdog, on the installed command.

Each test searches for a canary in everything that leaves the process: both streams, the log, the audit log, the
statuses, the plan file, Markdown, the step summary and outputs, the comment on the pull request, JUnit, metrics, and
the state directory.
"""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import urllib.request
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from html import escape
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

import pytest
from starlette.responses import JSONResponse, Response

from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout, Ran
from tests.support.jobs_api import Asked, JobsApi, a_row
from tests.support.sandbox_client import wait_for
from tests.support.watch_process import watching

KEY = "canary-sk/Proj+0123456789abcdef=="
HEX_KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
"""A key in the format of Azure OpenAI."""
PROVIDER = """\
apiVersion: jobs.reconciler/v1
kind: Provider
metadata: {{name: main}}
spec:
  type: openai
  baseUrl: {url}
  credentials: {credentials}
  rateLimit: {{requestsPerSecond: 1000, burst: 1000}}
"""
SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {interval: 15s}\n"

Guise = Callable[[str], str]
GUISES: Mapping[str, Guise] = {
    "as it is": str,
    "base64": lambda key: base64.b64encode(key.encode()).decode(),
    "base64 of a header": lambda key: base64.b64encode(f"Bearer {key}".encode()).decode(),
    "hexadecimal": lambda key: key.encode().hex(),
    "upper case": str.upper,
    "lower case": str.lower,
    "percent, lower case": lambda key: quote(key, safe="").lower(),
    "percent twice": lambda key: quote(quote(key, safe=""), safe=""),
    "entities": lambda key: "".join(f"&#{ord(char)};" for char in escape(key)),
    "reversed": lambda key: key[::-1],
    "split by white space": " ".join,
    "all but the last letter": lambda key: key[:-1],
}


def a_checkout(root: Path, url: str, key: str = KEY, credentials: str = "{env: GATEWAY_KEY}") -> Checkout:
    """Return a checkout whose key is sent to a gateway."""
    host = url.removeprefix("http://").removesuffix("/v1")
    trust = f"GATEWAY_KEY={host}"
    checkout = Checkout(root, {"GATEWAY_KEY": key, "RECONCILE_TRUST": trust})
    checkout.write("main.yaml", PROVIDER.format(url=url, credentials=credentials))
    checkout.write("settings.yaml", SETTINGS)
    checkout.want("one", "ftjob-one")
    checkout.want("two", "ftjob-two", "observed")
    return checkout


@contextmanager
def a_gateway(
    more: Mapping[str, Any] = MappingProxyType({}), *, answer: Callable[[Asked], Response | None] = lambda _: None
) -> Iterator[str]:
    """Serve three jobs whose rows have these further fields. `answer` may return another response."""
    rows = {job_id: a_row(job_id, **more) for job_id in ("ftjob-one", "ftjob-two", "ftjob-not-ours")}
    with JobsApi(rows, answer).served() as url:
        yield url


@contextmanager
def speaking(answer: bytes) -> Iterator[str]:
    """Serve these exact bytes to every client."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection, suppress(OSError):
                        connection.recv(65_536)
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/v1"


def everything(root: Path, *ran: Ran) -> str:
    """Return everything that was printed and written, except the files with the keys."""
    files = [path for path in root.rglob("*") if path.is_file() and path.parent != root / "keys"]
    written = [path.read_text(encoding="utf-8", errors="replace") for path in files]
    return "\n".join([*(f"{each.out}\n{each.err}" for each in ran), *written])


def shows(text: str, key: str) -> bool:
    """Return whether a text contains the middle of the key in one of several encodings, even across line breaks."""
    squeezed = re.sub(r"[^!-~]", "", text).lower()
    middle = key[len(key) // 5 : -(len(key) // 5)]
    data = [f"{'x' * before}{key}".encode() for before in range(3)]
    in_base64 = [base64.b64encode(each).decode()[8 : len(each) * 4 // 3 - 8] for each in data]
    found = [
        middle,
        middle[::-1],
        quote(middle, safe=""),
        quote(quote(middle, safe=""), safe=""),
        middle.encode().hex(),
    ]
    found += ["".join(f"&#{ord(char)};" for char in escape(middle)), *in_base64]
    return any(each.lower() in squeezed for each in found)


def run_once(checkout: Checkout) -> list[Ran]:
    """Make a plan and a pass as a step of GitHub Actions does, and print the statuses."""
    return run_all(checkout, {"plan", "--once", "get"})


def run_all(checkout: Checkout, only: Collection[str] = ()) -> list[Ran]:
    """Run every command that shows a part of an account, or only those that begin with a word in `only`."""
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(checkout.root / "summary.md"),
        "GITHUB_OUTPUT": str(checkout.root / "outputs"),
        "RUNNER_TEMP": str(checkout.root),
    }
    commands = (
        ("plan", "-o", "markdown"),
        ("plan", "--out", "plan.json", "-v"),
        ("drift", "-o", "json"),
        ("adopt", "--dry-run", "--provider", "main"),
        ("providers", "--check", "-o", "json"),
        (
            "--once",
            "--timeout",
            "3s",
            "-vvv",
            "--audit",
            "audit.jsonl",
            "--junit",
            "junit.xml",
            "--code-quality",
            "quality.json",
        ),
        ("--once", "--timeout", "3s", "--log-format", "json", "-o", "json", "--audit", "audit.jsonl"),
        ("get", "-o", "yaml"),
        ("get", "--live", "-o", "json"),
        ("describe", "one", "--events"),
    )
    return [checkout.run(*each, **runner) for each in commands if not only or each[0] in only]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("guise", GUISES)
def test_an_echoed_key_in_any_encoding_is_redacted_from_statuses_and_results(tmp_path: Path, guise: str) -> None:
    echo = GUISES[guise](KEY)
    error = {"code": echo, "message": f"see {echo}", "param": echo}
    with a_gateway({"model": f"m {echo}", "fine_tuned_model": echo, "error": error}) as url:
        ran = run_once(a_checkout(tmp_path, url))

    assert ran[-2].code == ExitCode.OK
    assert not shows(everything(tmp_path, *ran), KEY)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("guise", GUISES)
def test_a_key_echoed_in_a_rejection_is_redacted_from_statuses_and_results(tmp_path: Path, guise: str) -> None:
    echo = GUISES[guise](KEY)
    said = {"error": {"message": f"bad key {echo}", "code": echo, "type": echo}, "detail": echo, "message": echo}
    with a_gateway(answer=lambda _: JSONResponse(said, 401)) as url:
        ran = run_once(a_checkout(tmp_path, url))

    assert not shows(everything(tmp_path, *ran), KEY)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("status", [200, 400, 403, 404, 429, 500])
def test_a_key_echoed_in_every_encoding_at_once_is_redacted_everywhere(tmp_path: Path, status: int) -> None:
    echo = " | ".join(guise(KEY) for guise in GUISES.values())
    more = {"model": echo, "error": {"message": echo, "code": echo}}
    answer = JSONResponse(more, status, {"x-amzn-errortype": quote(echo), "retry-after": "1"})
    with a_gateway(more, answer=lambda _: None if status == 200 else answer) as url:
        ran = run_all(a_checkout(tmp_path, url))

    assert not shows(everything(tmp_path, *ran), KEY)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("host", [HEX_KEY, HEX_KEY.upper(), f"{HEX_KEY[:16]}.{HEX_KEY[16:]}", HEX_KEY[:20]])
def test_a_key_used_as_a_redirect_host_is_redacted_everywhere(tmp_path: Path, host: str) -> None:
    moved = f"HTTP/1.1 307 Moved\r\nLocation: https://{host}.example/v1\r\nContent-Length: 0\r\n\r\n".encode()
    with speaking(moved) as url:
        ran = run_once(a_checkout(tmp_path, url, HEX_KEY))

    assert "Redirects are not followed" in everything(tmp_path, *ran)
    assert host.lower() not in everything(tmp_path, *ran).lower()


def test_a_key_used_as_a_redirect_host_is_redacted_from_a_watchs_statuses(tmp_path: Path) -> None:
    moved = f"HTTP/1.1 307 Moved\r\nLocation: https://{HEX_KEY}.example/v1\r\nContent-Length: 0\r\n\r\n".encode()
    with speaking(moved) as url:
        checkout = a_checkout(tmp_path, url, HEX_KEY)
        with watching(checkout, "--log-format", "json") as watch:
            # An outage is written after two failed observations in a row.
            wait_for(
                (checkout.status_dir / "_providers/main.yaml").exists,
                "the status of the account reports the outage",
                within_s=60,
            )
            watch.stop()

    assert HEX_KEY not in everything(tmp_path)


def test_an_overlong_redirect_location_is_shortened(tmp_path: Path) -> None:
    moved = b"HTTP/1.1 307 Moved\r\nLocation: https://" + b"a" * 55_000 + b"/\r\nContent-Length: 0\r\n\r\n"
    with speaking(moved) as url:
        ran = a_checkout(tmp_path, url).run("--once", "--timeout", "3s", "--log-format", "json")

    assert "a" * 300 not in everything(tmp_path, ran)


def test_a_text_crafted_to_slow_redaction_does_not_delay_a_pass(tmp_path: Path) -> None:
    with a_gateway({"error": {"code": "x", "message": "http://" * 60_000}}) as url:
        ran = a_checkout(tmp_path, url).run("--once", "--timeout", "3s")

    assert ran.code in {ExitCode.OK, ExitCode.STALLED}  # within the 30 s that `Checkout.run` allows


@pytest.mark.parametrize("url", ["http://127.0.0.1:{port}//canary/{key}", "http://127.0.0.1:{port}/{key}?t={key}"])
def test_the_log_does_not_contain_the_heartbeat_url(tmp_path: Path, url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    secret = url.format(port=port, key="0f1e2d3c4b5a6978")
    with a_gateway() as gateway:
        checkout = a_checkout(tmp_path, gateway)
        with watching(checkout, f"--heartbeat-url={secret}") as watch:
            wait_for(
                lambda: "the heartbeat to --heartbeat-url failed" in watch.said(),
                "the watch logs that the heartbeat failed",
            )
            watch.stop()

    assert "0f1e2d3c4b5a6978" not in everything(tmp_path)


def test_a_heartbeat_url_with_two_slashes_in_its_path_works(tmp_path: Path) -> None:
    heard: list[bytes] = []
    with a_gateway() as gateway, socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}//ping/canary?x=1&x=2"

        def hear() -> None:
            connection, _ = server.accept()
            with connection:
                heard.append(connection.recv(65_536))
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        threading.Thread(target=hear, daemon=True).start()
        with watching(a_checkout(tmp_path, gateway), f"--heartbeat-url={url}") as watch:
            wait_for(lambda: bool(heard), "the heartbeat arrives")
            watch.stop()

    assert heard[0].startswith(b"GET //ping/canary?x=1&x=2 HTTP/1.1\r\n")


def test_metrics_and_health_responses_contain_no_key(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    echo = {"error": {"message": GUISES["base64"](KEY), "code": KEY}}
    with a_gateway(answer=lambda _: JSONResponse(echo, 401)) as url:
        checkout = a_checkout(tmp_path, url)
        with watching(checkout, f"--listen=127.0.0.1:{port}") as watch:
            wait_for((checkout.status_dir / "one.yaml").exists, "the first pass writes a status")
            pages = [_page(f"http://127.0.0.1:{port}/{each}") for each in ("healthz", "readyz", "metrics")]
            watch.stop()

    assert "reconcile_" in pages[2]
    assert not shows("\n".join(pages), KEY)


def _page(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310  loopback
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def test_the_pull_request_comment_contains_no_key(tmp_path: Path) -> None:
    event = {"number": 7, "pull_request": {"number": 7}}
    (tmp_path / "event.json").write_text(json.dumps(event), encoding="utf-8")
    got: list[str] = []
    echo = {"error": {"message": f"{KEY} {GUISES['hexadecimal'](KEY)}", "code": GUISES["reversed"](KEY)}}

    with a_gateway(answer=lambda _: JSONResponse(echo, 401)) as url, _github(got) as api:
        environ = {
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": api,
            "GITHUB_REPOSITORY": "acme/jobs",
            "GITHUB_TOKEN": "ghs_canary0123456789",
            "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        }
        ran = a_checkout(tmp_path, url).run("plan", "--github", **environ)

    assert got, ran.err
    assert not shows("\n".join(got), KEY)
    assert "ghs_canary0123456789" not in everything(tmp_path, ran)


@contextmanager
def _github(got: list[str]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        asked = b""
                        while b"\r\n\r\n" not in asked:
                            asked += connection.recv(65_536)
                        head, _, body = asked.partition(b"\r\n\r\n")
                        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                        while length and len(body) < int(length[1]):
                            body += connection.recv(65_536)
                        if head.startswith(b"POST"):
                            got.append(body.decode())
                        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n[]")

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("way", ["option", "variable"])
def test_a_git_token_given_instead_of_its_file_is_not_printed(tmp_path: Path, way: str) -> None:
    token = "ghp_canary0123456789abcdef"  # noqa: S105 - a canary
    given = ("--git-token-file", token) if way == "option" else ()
    environ = {"RECONCILE_GIT_TOKEN_FILE": token} if way == "variable" else {}
    ran = Checkout(tmp_path, environ).run("--once", "--git-url", "https://git.example/a.git", *given)

    assert ran.code == ExitCode.USAGE
    assert "no readable file has this path" in ran.err
    assert token not in everything(tmp_path, ran)


def test_a_credential_file_is_not_read_through_a_link_of_another_name(tmp_path: Path) -> None:
    """The binding names `a/key`. The path `a/link/../key` looks like `a/key`, but names `b/key` on the disk."""
    keys = tmp_path / "keys"
    for name in ("a", "b/inner"):
        (keys / name).mkdir(parents=True)
    (keys / "a/key").write_text("key-of-a-0123456789", encoding="utf-8")
    (keys / "b/key").write_text("key-of-b-0123456789", encoding="utf-8")
    (keys / "a/link").symlink_to("../b/inner")
    asked: list[Asked] = []
    with a_gateway(answer=lambda each: asked.append(each)) as url:  # noqa: PLW0108
        host = url.removeprefix("http://").removesuffix("/v1")
        checkout = a_checkout(tmp_path, url, credentials=f"{{file: {keys}/a/link/../key}}")
        trust = f"{keys}/a/key={host}"
        ran = checkout.run("--once", "--timeout", "3s", "--secrets-dir", str(keys), RECONCILE_TRUST=trust)

    assert ran.code == ExitCode.CONFIGURATION
    assert asked == []


def test_a_credential_file_in_a_kubernetes_volume_is_read(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "..2026_11_23").mkdir(parents=True)
    (keys / "..2026_11_23/key").write_text(KEY, encoding="utf-8")
    (keys / "..data").symlink_to("..2026_11_23")
    (keys / "key").symlink_to("..data/key")
    with a_gateway() as url:
        host = url.removeprefix("http://").removesuffix("/v1")
        checkout = a_checkout(tmp_path, url, credentials=f"{{file: {keys}/key}}")
        trust = f"{keys}/key={host}"
        ran = checkout.run("--once", "--timeout", "3s", "--secrets-dir", str(keys), RECONCILE_TRUST=trust)

    assert ran.code == ExitCode.OK, ran.err
