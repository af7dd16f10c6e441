"""The note on a merge request, with a stand-in for GitLab's API in this process, in virtual time."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from random import Random

import looptime
import pytest
from starlette.applications import Starlette

from reconciler.ci.gitlab_notes import PAUSES_MAX_S, MergeRequest, Notes
from reconciler.ci.host_api import PAGE_SIZE
from reconciler.errors import NotSentError, PermanentError
from reconciler.ports import CommentRefusedError, Rate, Transport
from reconciler.transport import HttpTransport, Throttle
from tests.support.canned_transport import CannedTransport, answer
from tests.support.gitlab_api import BOT, NUMBER, PROJECT, SOMEBODY, GitLabApi, routes_of

TOKEN, MARKER = "glpat-of-the-project", "<!-- reconcile specs -->"
MERGE_REQUEST = MergeRequest(project=PROJECT, number=NUMBER)
OURS = f"{MARKER}\n### Plan: nothing to change\n"


@pytest.fixture
def api() -> GitLabApi:
    return GitLabApi(TOKEN)


async def putting(api: GitLabApi, body: str, token: str = TOKEN) -> tuple[int, float]:
    clock = asyncio.get_running_loop().time
    begun = clock()
    throttle = Throttle(Rate(requests_per_second=1000, burst=1000))
    app = Starlette(routes=routes_of(api))
    async with HttpTransport("http://gitlab.example/api/v4", throttle, app=app) as transport:
        return await Notes(transport, MERGE_REQUEST, token).put(MARKER, body), clock() - begun


def put(api: GitLabApi, body: str = OURS, token: str = TOKEN) -> tuple[int, float]:
    """Put the note, and return its ID and the seconds that this took in virtual time."""
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(putting(api, body, token))


def own(api: GitLabApi) -> list[str]:
    return [each["body"] for each in api.notes if each["body"].startswith(MARKER) and each["author"]["id"] == BOT]


def test_the_first_run_creates_a_note_and_later_runs_update_it(api: GitLabApi) -> None:
    first, again = put(api), put(api, f"{MARKER}\nnew\n")

    assert first[0] == again[0]
    assert api.writes == ["POST", "PUT"]
    assert own(api) == [f"{MARKER}\nnew\n"]


def test_a_note_among_hundreds_is_found(api: GitLabApi) -> None:
    for number in range(2 * PAGE_SIZE + 50):
        api.add(f"{number}", SOMEBODY)
    ours = api.add(OURS)
    for number in range(PAGE_SIZE):
        api.add(f"{number}", SOMEBODY, system=True)
    note, _ = put(api)

    assert note == ours
    assert api.writes == ["PUT"]


def test_a_note_that_somebody_deleted_is_created_again(api: GitLabApi) -> None:
    note, _ = put(api)
    api.remove(note)
    again, _ = put(api)

    assert again != note
    assert own(api) == [OURS]


@pytest.mark.parametrize("text", [OURS, f"{MARKER} a copy"])
def test_the_note_of_another_user_with_the_marker_is_neither_changed_nor_trusted(api: GitLabApi, text: str) -> None:
    theirs = api.add(text, SOMEBODY)
    note, _ = put(api)

    assert note != theirs
    assert api.writes == ["POST"]
    assert api.notes[0]["body"] == text


def test_an_own_note_that_quotes_the_marker_and_a_system_note_are_not_changed(api: GitLabApi) -> None:
    api.add(f"It begins with {MARKER}")
    api.add(OURS, system=True)
    put(api)

    assert api.writes == ["POST"]


def put_together(api: GitLabApi, bodies: list[str]) -> set[int]:
    """Put the note from several jobs at the same time, and return the IDs that the jobs report."""

    async def run() -> set[int]:
        return {note for note, _ in await asyncio.gather(*(putting(api, body) for body in bodies))}

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        return runner.run(run())


@pytest.mark.parametrize("jobs", [2, 3, 7])
def test_jobs_that_create_a_note_at_the_same_time_leave_one(api: GitLabApi, jobs: int) -> None:
    bodies = [f"{MARKER}\nof job {number}\n" for number in range(jobs)]
    api.takes_s = lambda: 1.0
    notes = put_together(api, bodies)

    assert api.writes.count("POST") == jobs
    assert notes == {each["id"] for each in api.notes}
    assert len(api.notes) == 1
    assert own(api)[0] in bodies


@pytest.mark.parametrize("seed", range(20))
def test_jobs_whose_requests_overlap_in_any_order_leave_one_note(api: GitLabApi, seed: int) -> None:
    api.takes_s = Random(seed).random  # noqa: S311 - not a secret
    put_together(api, [f"{MARKER}\nof job {number}\n" for number in range(4)])

    assert len(own(api)) == 1


def test_a_second_own_note_of_a_job_that_was_killed_is_deleted(api: GitLabApi) -> None:
    first = api.add(OURS)
    api.add(OURS)
    note, _ = put(api, f"{MARKER}\nnew\n")

    assert note == first
    assert own(api) == [f"{MARKER}\nnew\n"]


@pytest.mark.parametrize(
    ("status", "what_to_do"),
    [
        (HTTPStatus.FORBIDDEN, "HTTP 403: the token in GITLAB_TOKEN needs the scope `api`"),
        (HTTPStatus.NOT_FOUND, "HTTP 404: the token in GITLAB_TOKEN does not give access to the merge request"),
        (HTTPStatus.UNPROCESSABLE_ENTITY, "HTTP 422 from GitLab's API"),
        (HTTPStatus.BAD_GATEWAY, "HTTP 502 from GitLab's API"),
    ],
)
def test_a_refusal_says_what_to_do(api: GitLabApi, status: HTTPStatus, what_to_do: str) -> None:
    api.refuses = status

    with pytest.raises(CommentRefusedError, match=what_to_do):
        put(api)
    assert api.notes == []


def test_a_wrong_token_is_reported(api: GitLabApi) -> None:
    with pytest.raises(CommentRefusedError, match="HTTP 401: GITLAB_TOKEN is not valid or has expired"):
        put(api, token="glpat-of-last-year")  # noqa: S106 - a canary


def test_a_rate_limit_is_waited_for(api: GitLabApi) -> None:
    api.refuses, api.refusals, api.refused = HTTPStatus.TOO_MANY_REQUESTS, 1, {"retry-after": "45"}
    note, took_s = put(api)

    assert note == 1
    assert 45 <= took_s < 60
    assert own(api) == [OURS]


@pytest.mark.parametrize("headers", [{"retry-after": "600"}, {"retry-after": "0"}, {}, {"retry-after": "50"}])
def test_a_rate_limit_that_lasts_is_reported(api: GitLabApi, headers: dict[str, str]) -> None:
    api.refuses, api.refused = HTTPStatus.TOO_MANY_REQUESTS, headers

    async def run() -> float:
        begun = asyncio.get_running_loop().time()
        with pytest.raises((CommentRefusedError, NotSentError), match=r"HTTP 429|a pause|throttles"):
            await putting(api, OURS)
        return asyncio.get_running_loop().time() - begun

    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        assert runner.run(run()) < 2 * PAUSES_MAX_S
    assert api.notes == []


@pytest.mark.parametrize(
    "answers",
    [[{"name": "x"}], [[]], [{"id": BOT}, {"message": "x"}], [{"id": BOT}, ["x"]], [{"id": BOT}, [], {"body": "x"}]],
)
def test_a_response_that_is_not_from_gitlab_is_reported(answers: list[object]) -> None:
    transport: Transport = CannedTransport([answer(each) for each in answers])

    with pytest.raises(CommentRefusedError, match="not from GitLab's API"):
        asyncio.run(Notes(transport, MERGE_REQUEST, TOKEN).put(MARKER, OURS))


def test_a_response_that_is_not_json_is_reported() -> None:
    transport: Transport = CannedTransport([answer(b"<html>sign in</html>")])

    with pytest.raises(PermanentError, match="not JSON"):
        asyncio.run(Notes(transport, MERGE_REQUEST, TOKEN).put(MARKER, OURS))
