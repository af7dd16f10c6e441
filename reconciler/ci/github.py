"""GitHub, as a step of a workflow meets it: the runner's files, and the one comment on a pull request.

Rules: the token goes to the runner's own API address and nowhere else. A comment is ours if an app wrote it and it
begins with our marker, so that a person's copy of the marker is left alone; it is changed in place. A person who looks
at the pull request loses nothing if the comment cannot be written, so that is never more than a warning.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from reconciler.local.credential_policy import normalise_base_url
from reconciler.ports import Response, Transport

API_URL = "https://api.github.com"
PAGE_SIZE = 100
PAGES_MAX = 30

_REPOSITORY = re.compile(r"[\w-]+/[\w.-]+", re.ASCII)
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:|/|$)")


class CommentRefused(Exception):
    """The comment could not be written; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """What a runner tells a step, by https://docs.github.com/actions/reference/workflows-and-actions/variables."""

    workspace: Path | None
    output: Path | None
    summary: Path | None
    temp: Path | None
    api_url: str
    repository: str | None
    pull_request: int | None
    token: str | None

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """Return what these variables say."""
        repository = environ.get("GITHUB_REPOSITORY", "")
        return cls(
            workspace=_path(environ, "GITHUB_WORKSPACE"),
            output=_path(environ, "GITHUB_OUTPUT"),
            summary=_path(environ, "GITHUB_STEP_SUMMARY"),
            temp=_path(environ, "RUNNER_TEMP"),
            api_url=environ.get("GITHUB_API_URL") or API_URL,
            repository=repository if _REPOSITORY.fullmatch(repository) else None,
            pull_request=_pull_request(_path(environ, "GITHUB_EVENT_PATH")),
            token=environ.get("GITHUB_TOKEN") or None,
        )

    @property
    def can_comment(self) -> bool:
        """Whether there is a pull request to comment on, and a token to do it with."""
        return self.repository is not None and self.pull_request is not None and self.token is not None

    def base_url(self) -> str:
        """Return the API's address. Raises ValueError where a token must not be sent there."""
        url = normalise_base_url(self.api_url)
        if url.startswith("http:") and not _LOOPBACK.match(url):
            msg = f"{url} is not https, and a token is not sent over plain http"
            raise ValueError(msg)
        return url


def size_of(path: Path) -> int:
    """Return how many bytes a file holds; one that is not there holds none."""
    return path.stat().st_size if path.exists() else 0


def append(path: Path, text: str) -> None:
    """Add to one of the runner's files. Raises OSError."""
    with path.open("a", encoding="utf-8", newline="\n") as file:
        file.write(text)


async def put_comment(transport: Transport, runner: Runner, marker: str, text: str) -> None:
    """Make the comment that begins with this marker say this, and no second one. Raises `CommentRefused`.

    The transport's own errors come through.
    """
    conversation = f"/repos/{runner.repository}/issues/{runner.pull_request}/comments"
    headers = {
        "authorization": f"Bearer {runner.token}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }
    body = {"body": f"{marker}\n{text}"}
    known = await _find(transport, conversation, headers, marker)
    if known is not None:
        path = f"/repos/{runner.repository}/issues/comments/{known}"
        answer = await transport.send("PATCH", path, json=body, headers=headers)
        if answer.status != HTTPStatus.NOT_FOUND:
            _check(answer)
            return
    _check(await transport.send("POST", conversation, json=body, headers=headers))


async def _find(transport: Transport, path: str, headers: Mapping[str, str], marker: str) -> int | None:
    for page in range(1, PAGES_MAX + 1):
        query = {"per_page": str(PAGE_SIZE), "page": str(page)}
        listed = _check(await transport.send("GET", path, query=query, headers=headers)).json()
        if not isinstance(listed, list):
            msg = "what answered is not GitHub's API"
            raise CommentRefused(msg)
        for each in listed:
            if _is_ours(each, marker):
                return int(each["id"])
        if len(listed) < PAGE_SIZE:
            break
    return None


def _is_ours(comment: Any, marker: str) -> bool:
    is_by_app = (comment.get("user") or {}).get("type") == "Bot"
    return is_by_app and str(comment.get("body") or "").startswith(marker)


def _check(answer: Response) -> Response:
    if answer.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        msg = f"HTTP {answer.status}: the job needs `pull-requests: write`, which a fork's pull request never has"
        raise CommentRefused(msg)
    if answer.status >= HTTPStatus.BAD_REQUEST:
        msg = f"HTTP {answer.status}"
        raise CommentRefused(msg)
    return answer


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _pull_request(event: Path | None) -> int | None:
    """Return the number of the pull request that an event is about, if it is about one."""
    try:
        told = json.loads(event.read_text(encoding="utf-8")) if event else {}
        return int(told["pull_request"]["number"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
