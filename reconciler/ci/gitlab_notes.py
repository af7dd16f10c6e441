"""The note of `reconcile` on a merge request of GitLab, which is kept up to date.

Rules:

- A note counts as the note of an earlier run only if its author is the user of the token and it begins with the marker.
  Therefore the note of another user is neither changed nor trusted, even if it contains the marker.
- A merge request has at most one such note. Two jobs that run at the same time may each create one. After a job has
  created a note, it lists the notes again: the oldest own note remains, and gets the text of the job. Further own notes
  are deleted.
- If GitLab asks for a pause, the request is sent again after the pause, within `PAUSES_MAX_S`.

Sources: https://docs.gitlab.com/api/notes/#merge-requests, https://docs.gitlab.com/api/users/,
https://docs.gitlab.com/api/rest/#pagination, and for the pauses
https://docs.gitlab.com/administration/settings/user_and_ip_rate_limits/.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from reconciler.ci.host_api import PAGE_SIZE, PAGES_MAX, HostApi
from reconciler.errors import NotSentError
from reconciler.ports import CommentRefusedError, Response, Transport

API = HostApi("GitLab", "CI_API_V4_URL")
PAUSES_MAX_S = 120.0
"""The maximum time that is spent on pauses which GitLab asks for, in seconds."""
PAUSE_S = 30.0
"""The pause if GitLab refuses a request because of a rate limit and names no time, in seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeRequest:
    """A merge request: the number of its project, and its own number within the project."""

    project: int
    number: int

    @property
    def notes(self) -> str:
        """The path of its notes in the API."""
        return f"/projects/{self.project}/merge_requests/{self.number}/notes"


class Notes:
    """The notes of one merge request, as the user of a token sees them.

    Args:
        transport: a transport to the API.
        merge_request: the merge request.
        token: the token. It needs the scope `api`.
    """

    def __init__(self, transport: Transport, merge_request: MergeRequest, token: str) -> None:
        self._transport = transport
        self._path = merge_request.notes
        self._headers = {"private-token": token}
        self._paused_s = 0.0

    async def put(self, marker: str, body: str) -> int:
        """Create or update the note that begins with this marker, and return its ID.

        `body` begins with the marker. Only the first `PAGES_MAX` pages of notes are searched. Raises
        `CommentRefusedError` if GitLab refuses the note or the response is not from its API, `PermanentError(invalid)`
        if the response is not JSON, and the errors of the transport.
        """
        author = API.id_of(_checked(await self._send("GET", "/user")).json())
        own = await self._own(author, marker)
        if own and await self._update(own[0], body):
            await self._delete(own[1:])
            return own[0]
        created = API.id_of(_checked(await self._send("POST", self._path, {"body": body})).json())
        return await self._without_twins(created, await self._own(author, marker), body)

    async def _without_twins(self, created: int, own: list[int], body: str) -> int:
        """Keep only the oldest of the own notes, and return its ID. The job that created another one deletes it."""
        if own and own[0] < created and await self._update(own[0], body):
            await self._delete([created])
            return own[0]
        return created

    async def _own(self, author: int, marker: str) -> list[int]:
        """Return the IDs of the own notes, in ascending order. The oldest notes are on the first page."""
        found: list[int] = []
        for page in range(1, PAGES_MAX + 1):
            query = {"sort": "asc", "order_by": "created_at", "per_page": str(PAGE_SIZE), "page": str(page)}
            listed = API.comments(_checked(await self._send("GET", self._path, query=query)))
            found += [API.id_of(each) for each in listed if _is_own(each, author, marker)]
            if len(listed) < PAGE_SIZE:
                break
        return sorted(found)

    async def _update(self, note: int, body: str) -> bool:
        """Replace the text of a note, and return whether the note exists."""
        response = await self._send("PUT", f"{self._path}/{note}", {"body": body})
        if response.status == HTTPStatus.NOT_FOUND:
            return False
        _checked(response)
        return True

    async def _delete(self, notes: list[int]) -> None:
        """Delete notes. A note that another job has deleted is not an error."""
        for note in notes:
            response = await self._send("DELETE", f"{self._path}/{note}")
            if response.status != HTTPStatus.NOT_FOUND:
                _checked(response)

    async def _send(
        self, method: str, path: str, body: object | None = None, query: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request, and send it again after each pause that GitLab asks for, within `PAUSES_MAX_S`."""
        while True:
            response, pause_s = None, None
            try:
                response = await self._transport.send(method, path, query=query, json=body, headers=self._headers)
            except NotSentError as error:
                pause_s = error.retry_after_s
                if pause_s is None or self._paused_s + pause_s > PAUSES_MAX_S:
                    raise
            else:
                if response.status != HTTPStatus.TOO_MANY_REQUESTS:
                    return response
                pause_s = PAUSE_S if response.retry_after_s is None else response.retry_after_s
                if self._paused_s + pause_s > PAUSES_MAX_S:
                    return response
            self._paused_s += max(pause_s, 1.0)
            await asyncio.sleep(pause_s)


def _is_own(note: Mapping[str, Any], author: int, marker: str) -> bool:
    written_by = note.get("author")
    is_by_author = isinstance(written_by, dict) and written_by.get("id") == author
    return is_by_author and note.get("system") is not True and str(note.get("body") or "").startswith(marker)


def _checked(response: Response) -> Response:
    """Return the response. Raises `CommentRefusedError` if it is a refusal, with what to do."""
    match response.status:
        case HTTPStatus.UNAUTHORIZED:
            msg = "HTTP 401: GITLAB_TOKEN is not valid or has expired: set it to a project access token"
        case HTTPStatus.FORBIDDEN:
            msg = (
                "HTTP 403: the token in GITLAB_TOKEN needs the scope `api` and at least the role Reporter, and the "
                "discussion must not be locked"
            )
        case HTTPStatus.NOT_FOUND:
            msg = (
                "HTTP 404: the token in GITLAB_TOKEN does not give access to the merge request: create it in the "
                "project of the merge request, with at least the role Reporter"
            )
        case HTTPStatus.TOO_MANY_REQUESTS:
            msg = "HTTP 429: GitLab limits the rate of requests of the token's user: run the job again later"
        case _ if response.status >= HTTPStatus.BAD_REQUEST:
            msg = f"HTTP {response.status} from GitLab's API"
        case _:
            return response
    raise CommentRefusedError(msg)
