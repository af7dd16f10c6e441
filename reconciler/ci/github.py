"""GitHub Actions during one step of a workflow: the runner's files, and the comment on a pull request.

The runners of Forgejo and Gitea set the same variables, and their API has the same paths and bodies for comments
(https://forgejo.org/docs/latest/user/actions/reference/#env). The author of a comment has no type there.

Rules:

- The token is sent only to the API's base URL in the runner's environment, or to `API_URL` if the environment
  names none.
- The comment of an earlier run is edited in place. Only a comment that begins with the marker and was written by an app
  counts as such, so a person's comment with the marker is not changed. In Forgejo, its author must be the user of the
  token.
- The summary contains everything that the comment contains, so a comment that cannot be written is only a warning.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from reconciler.ci.annotations import Places, annotations_of
from reconciler.ci.github_event import event_value
from reconciler.ci.github_text import SUMMARY_MAX, commands, output_text, without_commands
from reconciler.ci.host_api import PAGE_SIZE, PAGES_MAX, HostApi
from reconciler.local.file_writer import append_text, replace_file
from reconciler.model.report import Report
from reconciler.ports import CommentRefusedError, Response, Transport
from reconciler.redaction import KNOWN_SECRETS
from reconciler.views.render_context import COMMENT_MAX

API_URL = "https://api.github.com"
FORGEJO_API = "/api/v1"
"""The end of the API's base URL in Forgejo and Gitea."""
FORGEJO_ACTIONS = -2
"""The ID of the user of the automatic token in Forgejo and Gitea."""

_API = HostApi("GitHub", "GITHUB_API_URL")
_REPOSITORY = re.compile(r"[\w-]+/[\w.-]+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runner:
    """The variables of a runner, see https://docs.github.com/actions/reference/workflows-and-actions/variables.

    A value is None if its variable is missing or empty, but `api_url` is then `API_URL`. `repository` is also None if
    its variable is invalid, and `pull_request` if the event is not about a pull request or cannot be read.
    """

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
        """Return the runner that these variables describe."""
        repository = environ.get("GITHUB_REPOSITORY", "")
        return cls(
            workspace=_path(environ, "GITHUB_WORKSPACE"),
            output=_path(environ, "GITHUB_OUTPUT"),
            summary=_path(environ, "GITHUB_STEP_SUMMARY"),
            temp=_path(environ, "RUNNER_TEMP"),
            api_url=environ.get("GITHUB_API_URL") or API_URL,
            repository=repository if _REPOSITORY.fullmatch(repository) else None,
            pull_request=_pull_request(environ.get("GITHUB_EVENT_PATH")),
            token=environ.get("GITHUB_TOKEN") or None,
        )

    @property
    def can_comment(self) -> bool:
        """Whether the repository, the pull request and the token that a comment requires are known."""
        return self.repository is not None and self.pull_request is not None and self.token is not None

    def base_url(self) -> str:
        """Return the API's base URL. Raises `ValueError` if it is invalid, or plain http except to loopback."""
        return _API.base_url(self.api_url)


class GitHub:
    """GitHub Actions during one step of a workflow."""

    name = "GitHub"
    reads_both_streams = True
    comment_max = COMMENT_MAX

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @cached_property
    def _runner(self) -> Runner:
        return Runner.of(self._environ)

    def without_commands(self, text: str) -> str:
        """Return text with its workflow commands escaped."""
        return without_commands(text)

    def annotations(self, report: Report, specs: Path, *, is_from_top: bool) -> str:
        """Return the workflow commands that annotate files of the workspace."""
        return commands(annotations_of(report, Places.below(None if is_from_top else self._runner.workspace, specs)))

    @property
    def summary_bytes_left(self) -> int | None:
        """The number of bytes that can still be added to the step's summary; None if the runner has no summary."""
        path = self._runner.summary
        return None if path is None else SUMMARY_MAX - (path.stat().st_size if path.exists() else 0)

    def add_summary(self, text: str) -> None:
        """Append text to the step's summary, if there is one. Raises `OSError` if it cannot be written."""
        if self._runner.summary is not None:
            append_text(self._runner.summary, text)

    @property
    def keeps_files(self) -> bool:
        """Whether the runner has a directory for the job's temporary files."""
        return self._runner.temp is not None

    def write_file(self, name: str, text: str) -> Path:
        """Write a temporary file for later steps of the job, and return its path. Raises `OSError` if that fails."""
        path = (self._runner.temp or Path()) / name
        replace_file(path, text.encode())
        return path

    def set_outputs(self, values: Mapping[str, str]) -> None:
        """Set outputs of the step, if the runner accepts them. Raises `OSError` if they cannot be written."""
        if self._runner.output is not None:
            append_text(self._runner.output, output_text(values, lambda: f"end-{secrets.token_hex(16)}"))

    @property
    def comment_target(self) -> str | None:
        """The pull request as text, such as `pull request 7`; None if `can_comment` is False."""
        return f"pull request {self._runner.pull_request}" if self._runner.can_comment else None

    async def put_comment(self, marker: str, text: str) -> str:
        """Create or edit the comment that begins with this marker, and return its ID.

        Raises `ValueError` if the API's base URL cannot be used, `PermanentError(unreachable)` if the proxy or
        certificate settings cannot be used, and the errors of the function `put_comment`.
        """
        async with _API.transport(self._runner.base_url()) as transport:
            return str(await put_comment(transport, self._runner, marker, text))


async def put_comment(transport: Transport, runner: Runner, marker: str, text: str) -> int:
    """Edit the comment that begins with this marker, or create a comment if none is found, and return its ID.

    Only the first `PAGES_MAX` pages of comments are searched. Raises `CommentRefusedError` if GitHub refuses the
    comment or the response is not from its API, `PermanentError(invalid)` if the response is not JSON, and the errors
    of the transport.
    """
    comment_target = f"/repos/{runner.repository}/issues/{runner.pull_request}/comments"
    headers = {
        "authorization": f"Bearer {runner.token}",
        "accept": "application/vnd.github+json",
        "x-github-api-version": "2022-11-28",
    }
    body = {"body": KNOWN_SECRETS.redact(f"{marker}\n{text}")}
    author = await _author(transport, headers) if runner.api_url.rstrip("/").endswith(FORGEJO_API) else None
    known = await _find(transport, comment_target, headers, marker, author)
    if known is not None:
        path = f"/repos/{runner.repository}/issues/comments/{known}"
        response = await transport.send("PATCH", path, json=body, headers=headers)
        if response.status != HTTPStatus.NOT_FOUND:
            _check(response)
            return known
    return _API.id_of(_check(await transport.send("POST", comment_target, json=body, headers=headers)).json())


async def _author(transport: Transport, headers: Mapping[str, str]) -> int:
    """Return the ID of the token's user in Forgejo. If it cannot be read, the token is the automatic one."""
    response = await transport.send("GET", "/user", headers=headers)
    return _API.id_of(response.json()) if response.status == HTTPStatus.OK else FORGEJO_ACTIONS


async def _find(
    transport: Transport, path: str, headers: Mapping[str, str], marker: str, author: int | None
) -> int | None:
    before: object = None
    for page in range(1, PAGES_MAX + 1):
        query = {"per_page": str(PAGE_SIZE), "page": str(page)}
        listed = _API.comments(_check(await transport.send("GET", path, query=query, headers=headers)))
        for each in listed:
            if _is_own_comment(each, marker, author):
                return _API.id_of(each)
        if len(listed) < PAGE_SIZE or listed == before:  # Forgejo returns all comments, and ignores the page
            break
        before = listed
    return None


def _is_own_comment(comment: Mapping[str, Any], marker: str, author: int | None) -> bool:
    user = comment.get("user")
    known = user if isinstance(user, dict) else {}
    is_own = known.get("type") == "Bot" if author is None else known.get("id") == author
    return is_own and str(comment.get("body") or "").startswith(marker)


def _check(response: Response) -> Response:
    if response.status == HTTPStatus.UNAUTHORIZED:
        msg = "HTTP 401: GITHUB_TOKEN is not valid or has expired: pass the token of this workflow run"
        raise CommentRefusedError(msg)
    if response.status in {HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND}:
        msg = (
            f"HTTP {response.status}: the workflow job needs the permission `pull-requests: write`, which GitHub does "
            "not give to pull requests from forks"
        )
        raise CommentRefusedError(msg)
    if response.status >= HTTPStatus.BAD_REQUEST:
        msg = f"HTTP {response.status} from GitHub's API"
        raise CommentRefusedError(msg)
    return response


def _path(environ: Mapping[str, str], name: str) -> Path | None:
    return Path(environ[name]) if environ.get(name) else None


def _pull_request(event: str | None) -> int | None:
    """Return the number of the pull request in an event file; None for another event or an unreadable file."""
    try:
        return int(event_value(event, "pull_request", "number"))
    except (ValueError, TypeError):
        return None
