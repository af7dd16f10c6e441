"""A stand-in for the part of the GitHub API that comments need, with GitHub's limit on their length."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.support.sandbox_server import serve

BODY_MAX = 65_536
COMMENTS = "/v1/repos/ada/jobs/issues/7/comments"
COMMENT = "/v1/repos/ada/jobs/issues/comments/{id:int}"


@dataclass(slots=True)
class GitHubApi:
    """Pull request 7 of `ada/jobs`. If `refuses` is set, every request with the right token gets this status."""

    token: str
    comments: list[dict[str, Any]] = field(default_factory=list)
    refuses: HTTPStatus | None = None
    writes: list[str] = field(default_factory=list)
    """The method of each request that changed something."""
    url: str = ""

    def add(self, body: str, kind: str) -> None:
        """Add a comment by a `Bot` or a `User`."""
        self.comments.append({"id": len(self.comments) + 1, "user": {"type": kind}, "body": body})

    async def list(self, request: Request) -> JSONResponse:
        """Return a page of the pull request's comments."""
        size, page = int(request.query_params["per_page"]), int(request.query_params["page"])
        return self._answer(request, self.comments[(page - 1) * size : page * size])

    async def create(self, request: Request) -> JSONResponse:
        """Add a comment by a `Bot`. A text over GitHub's limit gets HTTP 422."""
        body = (await request.json())["body"]
        if len(body) > BODY_MAX:
            return JSONResponse({"message": "body is too long"}, HTTPStatus.UNPROCESSABLE_ENTITY)
        answer = self._answer(request, {"id": len(self.comments) + 1}, HTTPStatus.CREATED)
        if answer.status_code == HTTPStatus.CREATED:
            self.writes.append("POST")
            self.add(body, "Bot")
        return answer

    async def change(self, request: Request) -> JSONResponse:
        """Replace the text of a comment."""
        answer = self._answer(request, {})
        if answer.status_code == HTTPStatus.OK:
            self.writes.append("PATCH")
            self.comments[request.path_params["id"] - 1]["body"] = (await request.json())["body"]
        return answer

    def _answer(self, request: Request, content: object, status: HTTPStatus = HTTPStatus.OK) -> JSONResponse:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return JSONResponse({"message": "Bad credentials"}, HTTPStatus.UNAUTHORIZED)
        return JSONResponse({}, self.refuses) if self.refuses else JSONResponse(content, status)


@contextmanager
def github_api(token: str) -> Iterator[GitHubApi]:
    """Serve the API until the block ends."""
    api = GitHubApi(token)
    routes = [
        Route(COMMENTS, api.list, methods=["GET"]),
        Route(COMMENTS, api.create, methods=["POST"]),
        Route(COMMENT, api.change, methods=["PATCH"]),
    ]
    with serve(Starlette(routes=routes)) as api.url:
        yield api
