"""The page of a running watch, read over HTTP."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection, HTTPResponse

import pytest

from tests.e2e.conftest import a_checkout
from tests.support.cli import Checkout
from tests.support.page_scene import OUTAGE, SCENES, a_page, calm
from tests.support.page_scene import a_watch as a_watch_of
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import WatchProcess, watching

ANSWERS_WITHIN_S = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A response of the port."""

    status: int
    headers: dict[str, str]
    body: str

    @property
    def text(self) -> str:
        """What a reader of the page sees, in one line."""
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", self.body)).split())


def ask(address: str, path: str = "/", method: str = "GET", **headers: str) -> Answer:
    connection = HTTPConnection(address.removeprefix("http://"), timeout=ANSWERS_WITHIN_S)
    try:
        connection.request(method, path, headers=headers)
        return _answer(connection.getresponse())
    finally:
        connection.close()


def _answer(response: HTTPResponse) -> Answer:
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read().decode())


@contextmanager
def a_watch(
    checkout: Checkout, *arguments: str, host: str = "127.0.0.1", **environ: str
) -> Iterator[tuple[str, WatchProcess]]:
    port = a_free_port()
    with watching(checkout, "--listen", f"{host}:{port}", *arguments, **environ) as process:
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: ask(address, "/readyz").status == 200, "the watch is ready")
        yield address, process


def test_the_page_of_a_watch_follows_a_job_from_running_to_a_proven_cancel(
    checkout: Checkout, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id, "observed")
    with a_watch(checkout) as (address, _):
        before = ask(address)
        checkout.want("runaway", job_id)
        wait_for(
            lambda: "1 job cancelled, as the provider confirmed" in ask(address).text,
            "the page shows the proven cancel",
        )
        job, accounts = ask(address, "/jobs/runaway"), ask(address, "/accounts")
        filtered = ask(address, "/?phase=cancelled&provider=main")
        pages = (before, job, accounts, filtered)

    assert [each.status for each in pages] == [200] * 4
    assert "Healthy: 1 as desired." in before.text
    assert re.search(r"runaway main as desired (queued|running|validating_files) observed main", before.text)
    assert "runaway.yaml:1 " in f"{job.text} "
    assert "confirmed cancel: the job was observed cancelled" in job.text
    assert "Jobs 1 to 1 of 1 that match" in filtered.text
    assert re.search(rf"main openai {sandbox.url} (no unfinished job|every job observed \ds ago) 1 ", accounts.text)
    assert "1 here, 1 in all allowed: 3, or 30 %" in accounts.text
    assert [each for each in pages if sandbox.key in each.body] == []


def test_every_page_forbids_framing_caching_and_foreign_content() -> None:
    with a_page(SCENES["refusal"]()) as scene:
        answers = [
            ask(scene.address, path) for path in ("/", "/accounts", "/jobs/core-east-1", "/jobs/none", "/metrics")
        ]

    for each in answers:
        policy = each.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; ")
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert each.headers["referrer-policy"] == "no-referrer"
        assert each.headers["x-content-type-options"] == "nosniff"
        assert each.headers["x-robots-tag"] == "noindex"
    assert {each.headers.get("cache-control") for each in answers[:4]} == {"no-store"}
    assert [each.status for each in answers] == [200, 200, 200, 404, 200]


def test_pages_load_only_files_whose_address_is_the_hash_of_their_content() -> None:
    with a_page(SCENES["calm"]()) as scene:
        paths = re.findall(r'(?:src|href)="(/static/[^"]+)"', ask(scene.address).body)
        files = [ask(scene.address, path) for path in paths]
        unknown = ask(scene.address, paths[0].replace("page.", "page.0"))

    assert sorted(path.rpartition(".")[2] for path in paths) == ["css", "js"]
    assert {each.headers["cache-control"] for each in files} == {"public, max-age=31536000, immutable"}
    assert {each.headers["content-type"] for each in files} == {
        "text/css; charset=utf-8",
        "text/javascript; charset=utf-8",
    }
    assert unknown.status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_the_page_only_reads(method: str) -> None:
    with a_page(SCENES["calm"]()) as scene:
        assert {ask(scene.address, path, method).status for path in ("/", "/accounts", "/jobs/a")} == {405}


def test_a_head_request_has_the_headers_and_no_body() -> None:
    with a_page(SCENES["calm"]()) as scene:
        answer = ask(scene.address, "/", "HEAD")

    assert (answer.status, answer.body) == (200, "")
    assert int(answer.headers["content-length"]) > 1000


def test_a_page_is_compressed_for_a_client_that_accepts_gzip() -> None:
    with a_page(SCENES["calm"]()) as scene:
        connection = HTTPConnection(scene.address.removeprefix("http://"), timeout=ANSWERS_WITHIN_S)
        connection.request("GET", "/", headers={"accept-encoding": "gzip"})
        answer = connection.getresponse()
        packed = answer.read()
        plain = ask(scene.address).body
        connection.close()

    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(packed).decode() == plain
    assert len(packed) < len(plain) / 3


def test_the_page_is_off_where_other_machines_may_reach_it_without_a_token(checkout: Checkout) -> None:
    with a_watch(checkout, host="0.0.0.0") as (address, process):  # noqa: S104  the address under test
        paths = ("/", "/jobs/a", "/accounts", "/healthz", "/readyz", "/metrics")
        answers = [ask(address, path).status for path in paths]
        log = process.said()

    assert answers == [404, 404, 404, 200, 200, 200]
    assert log.count("the page is off, because other machines may reach 0.0.0.0:") == 1


def test_a_page_shows_a_change_of_the_watch_at_once_and_never_an_older_one() -> None:
    with a_page(SCENES["calm"]()) as scene:
        first = ask(scene.address)
        scene.watch = a_watch_of(calm(), OUTAGE, passes=8)
        second = ask(scene.address)

    assert "Healthy" in first.text
    assert "1 account cannot be observed" in second.text


TOKEN = "listen-token-0123456789"  # noqa: S105  a token of the tests


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory, shared_sandbox: Sandbox) -> Iterator[tuple[str, WatchProcess]]:
    """Yield a watch whose page needs a token and can be reached from other machines."""
    checkout = a_checkout(tmp_path_factory.mktemp("guarded"), shared_sandbox)
    (job_id,) = shared_sandbox.create(1)
    checkout.want("secret-project", job_id, "observed")
    (checkout.root / "token").write_text(f"{TOKEN}\n", encoding="utf-8")
    with a_watch(checkout, "--listen-token-file", "token", host="0.0.0.0") as watch:  # noqa: S104  as under test
        yield watch


PATHS = ("/", "/?q=a", "/jobs/secret-project", "/jobs/none", "/accounts", "/metrics", "/none")


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": "Bearer"},
        {"authorization": "Bearer \xe9"},
        {"cookie": f"reconcile={TOKEN}"},
        {"cookie": "reconcile-0=\xe9"},
    ],
)
def test_without_the_token_only_health_is_served(guarded: tuple[str, WatchProcess], headers: dict[str, str]) -> None:
    address, _ = guarded
    refused = [ask(address, path, **headers) for path in PATHS]
    health = [ask(address, path, **headers).status for path in ("/healthz", "/readyz")]

    assert {each.status for each in refused} == {401}
    assert {each.headers["www-authenticate"] for each in refused} == {"Bearer"}
    assert [each for each in refused if "secret-project" in each.body or "set-cookie" in each.headers] == []
    assert health == [200, 200]


def test_a_bearer_token_reads_the_page_and_the_metrics(guarded: tuple[str, WatchProcess]) -> None:
    address, process = guarded
    answers = [ask(address, path, authorization=f"bearer {TOKEN}") for path in ("/", "/accounts", "/metrics")]

    assert [each.status for each in answers] == [200, 200, 200]
    assert "secret-project" in answers[0].body
    assert [each for each in answers if TOKEN in each.body] == []
    assert TOKEN not in process.said()


def test_a_token_in_the_address_becomes_a_cookie_once(guarded: tuple[str, WatchProcess]) -> None:
    address, _ = guarded
    first = ask(address, f"/?phase=running&token={TOKEN}&q=a+b")
    cookie = first.headers["set-cookie"]
    name, _, value = cookie.partition(";")[0].partition("=")
    second = ask(address, first.headers["location"], cookie=f"{name}={value}")
    wrong = [ask(address, "/", cookie=f"{name}={other}").status for other in (f"{value}0", value[:-1], TOKEN, "")]

    assert (first.status, first.headers["location"], first.body) == (303, "/?phase=running&q=a+b", "")
    assert cookie.partition("; ")[2] == "HttpOnly; Path=/; SameSite=lax"
    assert TOKEN not in cookie
    assert second.status == 200
    assert wrong == [401] * 4


@pytest.mark.parametrize("path", ["//evil.example", "/%2Fevil.example", "/\\evil.example"])
def test_a_token_in_the_address_never_leads_to_another_host(guarded: tuple[str, WatchProcess], path: str) -> None:
    location = ask(guarded[0], f"{path}?token={TOKEN}").headers["location"]

    assert re.match(r"/[^/\\]", location)


def test_the_cookie_is_secure_behind_a_proxy_with_tls(guarded: tuple[str, WatchProcess]) -> None:
    answer = ask(guarded[0], f"/?token={TOKEN}", **{"x-forwarded-proto": "https"})

    assert "; Secure" in answer.headers["set-cookie"]


def test_a_wrong_token_in_the_address_sets_no_cookie(guarded: tuple[str, WatchProcess]) -> None:
    answer = ask(guarded[0], "/?token=wrong")

    assert answer.status == 401
    assert "set-cookie" not in answer.headers


def test_a_token_in_a_variable_guards_the_page_on_loopback_too(checkout: Checkout) -> None:
    with a_watch(checkout, RECONCILE_LISTEN_TOKEN=TOKEN) as (address, _):
        answers = [ask(address).status, ask(address, authorization=f"Bearer {TOKEN}").status]

    assert answers == [401, 200]


@pytest.mark.parametrize("content", ["short", "with spaces in its middle", "", "\xff" * 20])
def test_a_token_that_can_be_guessed_or_not_be_sent_is_refused_without_showing_it(
    checkout: Checkout, content: str
) -> None:
    (checkout.root / "token").write_bytes(content.encode("latin-1"))
    ran = checkout.run("--listen", f"127.0.0.1:{a_free_port()}", "--listen-token-file", "token")
    variable = {"RECONCILE_LISTEN_TOKEN": "with spaces, too long"}
    by_variable = checkout.run("--listen", f"127.0.0.1:{a_free_port()}", **variable)

    assert (ran.code, by_variable.code) == (78, 78)
    assert "--listen-token-file" in ran.err
    assert not content or content not in ran.err
    assert "RECONCILE_LISTEN_TOKEN does not contain a token" in by_variable.err
    assert "spaces, too" not in by_variable.err
