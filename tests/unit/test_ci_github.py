from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from reconciler.ci.github import FORGEJO_ACTIONS, Runner, put_comment
from reconciler.ci.host_api import PAGE_SIZE
from reconciler.ports import Response
from tests.support.canned_transport import CannedTransport, answer

TOLD = {"GITHUB_REPOSITORY": "ada/jobs", "GITHUB_TOKEN": "ghs_1"}


def an_event(root: Path, content: object) -> dict[str, str]:
    path = root / "event.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    return {"GITHUB_EVENT_PATH": str(path)}


def test_a_pull_request_with_a_token_can_be_commented_on(tmp_path: Path) -> None:
    runner = Runner.of(TOLD | an_event(tmp_path, {"pull_request": {"number": 7}}))

    assert runner.can_comment
    assert runner.pull_request == 7
    assert runner.base_url() == "https://api.github.com"


@pytest.mark.parametrize("event", [{}, [], {"pull_request": None}, {"pull_request": {"number": "x"}}, {"issue": 7}])
def test_an_event_without_a_pull_request_cannot_be_commented_on(tmp_path: Path, event: object) -> None:
    assert not Runner.of(TOLD | an_event(tmp_path, event)).can_comment


@pytest.mark.parametrize("change", [{"GITHUB_TOKEN": ""}, {"GITHUB_REPOSITORY": "../x"}, {"GITHUB_EVENT_PATH": "/no"}])
def test_a_missing_token_repository_or_event_file_prevents_comments(tmp_path: Path, change: dict[str, str]) -> None:
    environ = TOLD | an_event(tmp_path, {"pull_request": {"number": 7}}) | change

    assert not Runner.of(environ).can_comment


def test_comments_are_disabled_outside_a_runner() -> None:
    assert not Runner.of({}).can_comment


@pytest.mark.parametrize("url", ["http://ghe.example.org/api/v3", "http://127.0.0.1.example.org", "ftp://x", "x"])
def test_an_api_url_without_https_is_rejected(url: str) -> None:
    with pytest.raises(ValueError, match=r"http"):
        Runner.of({"GITHUB_API_URL": url}).base_url()


def test_the_api_url_of_github_enterprise_is_used() -> None:
    assert (
        Runner.of({"GITHUB_API_URL": "https://ghe.example.org/api/v3/"}).base_url() == "https://ghe.example.org/api/v3"
    )


MARKER = "<!-- reconcile specs -->"
OTHERS = [{"id": number, "user": {"id": 31, "login": "ada"}, "body": "fine"} for number in range(PAGE_SIZE)]


def forgejo(tmp_path: Path) -> Runner:
    """Return the runner of Forgejo, whose variables are those of GitHub."""
    return Runner.of(
        TOLD
        | an_event(tmp_path, {"pull_request": {"number": 7}})
        | {"GITHUB_API_URL": "https://forgejo.example/api/v1"}
    )


@pytest.mark.parametrize(
    ("user", "author"),
    [
        (answer({"id": 9, "login": "robot"}), 9),
        (answer({"message": "token does not have scope"}, 403), FORGEJO_ACTIONS),
    ],
)
def test_forgejo_shows_one_comment_of_the_user_of_the_token(tmp_path: Path, user: Response, author: int) -> None:
    theirs = {"id": 400, "user": {"id": 31}, "body": f"{MARKER} a copy"}
    ours = {"id": 500, "user": {"id": author}, "body": f"{MARKER}\nold"}
    transport = CannedTransport([user, answer([theirs, ours]), answer({"id": 500})])
    number = asyncio.run(put_comment(transport, forgejo(tmp_path), MARKER, "new"))

    assert number == 500
    assert transport.asked[-1][:2] == ("PATCH", "/repos/ada/jobs/issues/comments/500")
    assert transport.bodies[-1] == {"body": f"{MARKER}\nnew"}


def test_the_comments_of_forgejo_which_ignores_pages_are_searched_twice_at_most(tmp_path: Path) -> None:
    transport = CannedTransport([answer({"id": 9}), answer(OTHERS), answer(OTHERS), answer({"id": 501}, 201)])

    assert asyncio.run(put_comment(transport, forgejo(tmp_path), MARKER, "new")) == 501
    assert [method for method, *_ in transport.asked] == ["GET", "GET", "GET", "POST"]
