"""A stand-in for the part of the GitLab API that notes need, by https://docs.gitlab.com/api/notes/.

It has GitLab's pages, its limit on the length of a note, and its responses to a wrong token and to the job token.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.support.sandbox_server import serve

NOTE_MAX = 1_000_000
PAGE_MAX = 100
JOB_TOKEN = "glcbt-of-this-job"  # noqa: S105 - a canary
PROJECT, NUMBER = 42, 7
NOTES = f"/api/v4/projects/{PROJECT}/merge_requests/{NUMBER}/notes"
BOT, SOMEBODY = 900, 31


@dataclass(slots=True)
class GitLabApi:
    """Merge request 7 of project 42. The token belongs to the user `BOT`.

    Args:
        token: the project access token.
        notes: the notes, the oldest first.
        refuses: if it is set, every request with the right token gets this status.
        refused: the headers of these responses.
        refusals: how many requests are refused, or None for all.
        takes_s: returns how long the next request takes before it has its effect, in seconds.
        writes: the method of each request that changed something.
    """

    token: str
    notes: list[dict[str, Any]] = field(default_factory=list)
    refuses: HTTPStatus | None = None
    refused: dict[str, str] = field(default_factory=dict)
    refusals: int | None = None
    takes_s: Callable[[], float] = lambda: 0.0
    writes: list[str] = field(default_factory=list)
    url: str = ""
    _last: int = 0

    def add(self, body: str, author: int = BOT, *, system: bool = False) -> int:
        """Add a note, and return its ID."""
        self._last += 1
        self.notes.append({"id": self._last, "body": body, "author": {"id": author}, "system": system})
        return self._last

    def remove(self, note: int) -> None:
        """Delete a note, as a person does on the page."""
        self.notes = [each for each in self.notes if each["id"] != note]

    async def user(self, request: Request) -> Response:
        """Return the user of the token."""
        return await self._refusal(request) or JSONResponse({"id": BOT, "username": "project_42_bot"})

    async def list(self, request: Request) -> Response:
        """Return a page of notes. System notes and the notes of others are among them."""
        if refusal := await self._refusal(request, can_be_job=True):
            return refusal
        size = min(int(request.query_params.get("per_page", "20")), PAGE_MAX)
        at = (int(request.query_params.get("page", "1")) - 1) * size
        ordered = self.notes if request.query_params.get("sort") == "asc" else self.notes[::-1]
        return JSONResponse(ordered[at : at + size])

    async def create(self, request: Request) -> Response:
        """Add a note of the token's user."""
        if refusal := await self._refusal(request):
            return refusal
        body = (await request.json())["body"]
        if len(body) > NOTE_MAX:
            return JSONResponse({"message": {"note": ["is too long"]}}, HTTPStatus.BAD_REQUEST)
        self.writes.append("POST")
        return JSONResponse({"id": self.add(body)}, HTTPStatus.CREATED)

    async def change(self, request: Request) -> Response:
        """Replace the text of a note, or delete it. Only its author may do that."""
        if refusal := await self._refusal(request):
            return refusal
        found = next((each for each in self.notes if each["id"] == request.path_params["id"]), None)
        if found is None:
            return JSONResponse({"message": "404 Not found"}, HTTPStatus.NOT_FOUND)
        if found["author"]["id"] != BOT:
            return JSONResponse({"message": "403 Forbidden"}, HTTPStatus.FORBIDDEN)
        self.writes.append(request.method)
        if request.method == "DELETE":
            self.remove(found["id"])
            return Response(status_code=HTTPStatus.NO_CONTENT)
        found["body"] = (await request.json())["body"]
        return JSONResponse(found)

    async def _refusal(self, request: Request, *, can_be_job: bool = False) -> Response | None:
        await asyncio.sleep(self.takes_s())
        if can_be_job and request.headers.get("job-token") == JOB_TOKEN:
            return None
        if request.headers.get("private-token") != self.token:
            return JSONResponse({"message": "401 Unauthorized"}, HTTPStatus.UNAUTHORIZED)
        if self.refuses is None or self.refusals == 0:
            return None
        if self.refusals is not None:
            self.refusals -= 1
        return JSONResponse({"message": "refused"}, self.refuses, self.refused)


def routes_of(api: GitLabApi) -> list[Route]:
    """Return the routes of the API."""
    return [
        Route("/api/v4/user", api.user, methods=["GET"]),
        Route(NOTES, api.list, methods=["GET"]),
        Route(NOTES, api.create, methods=["POST"]),
        Route(f"{NOTES}/{{id:int}}", api.change, methods=["PUT", "DELETE"]),
    ]


@contextmanager
def gitlab_api(token: str) -> Iterator[GitLabApi]:
    """Serve the API until the block ends. Its address ends in `/api/v4`."""
    api = GitLabApi(token)
    with serve(Starlette(routes=routes_of(api))) as url:
        api.url = f"{url.removesuffix('/v1')}/api/v4"
        yield api
