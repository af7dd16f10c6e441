"""The page of a running watch, read over HTTP."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from http.client import HTTPConnection, HTTPResponse

import pytest

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
def a_watch(checkout: Checkout, *arguments: str, host: str = "127.0.0.1") -> Iterator[tuple[str, WatchProcess]]:
    port = a_free_port()
    with watching(checkout, "--listen", f"{host}:{port}", *arguments) as process:
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
        wait_for(lambda: "1 job cancelled and proven" in ask(address).text, "the page shows the proven cancel")
        job, accounts = ask(address, "/jobs/runaway"), ask(address, "/accounts")
        filtered = ask(address, "/?phase=cancelled&provider=main")
        pages = (before, job, accounts, filtered)

    assert [each.status for each in pages] == [200] * 4
    assert "All is well: 1 as desired." in before.text
    assert re.search(r"runaway main as desired (queued|running|validating_files) observed main", before.text)
    assert "runaway.yaml:1 " in f"{job.text} "
    assert "confirmed cancel: the job was observed cancelled" in job.text
    assert "Jobs 1 to 1 of 1 that match" in filtered.text
    assert re.search(rf"main openai {sandbox.url} (no unfinished job|every job seen \ds ago) 1 ", accounts.text)
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

    assert "All is well" in first.text
    assert "1 account cannot be seen" in second.text
