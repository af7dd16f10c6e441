"""The API of each provider type, after its vendor's reference: paths, keys, status values, rows, pages and errors.

The world uses OpenAI's status values. A dialect translates them to those of its vendor, and back.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from tests.second_opinion.faulty_responses import Answer, as_json

Row = dict[str, Any]
PAUSES = frozenset({"openai", "azure-openai", "litellm-passthrough"})
"""The types that can pause and resume jobs, according to the README."""


@dataclass(frozen=True)
class Dialect:
    """OpenAI's own API. Similar APIs differ in the path and a few values. Subclasses define the other APIs."""

    type: str
    base: str = "/v1"
    root: str = "/v1/fine_tuning/jobs"
    own_words: tuple[tuple[str, str], ...] = ()
    shows_cancelling: bool = False

    def key(self, headers: dict[str, str]) -> str:
        """Return the key in the headers of a request, or an empty text."""
        return headers.get("authorization", "").removeprefix("Bearer ")

    def is_of(self, key: str, headers: dict[str, str]) -> bool:
        """Return whether a request was made with this key."""
        return self.key(headers) == key

    def verb(self, method: str, path: str) -> tuple[str, str | None]:
        """Return the operation of a request, and the ID of its job, or None for a list."""
        rest = [word for word in path.removeprefix(self.root).split("/") if word]
        if method == "GET" and not rest:
            return "list", None
        if method == "GET" and len(rest) == 1:
            return "retrieve", rest[0]
        if method == "GET" and len(rest) == 2 and rest[1] in ("events", "checkpoints"):
            return rest[1], rest[0]
        if method == "POST" and len(rest) == 2 and rest[1] in ("cancel", "pause", "resume"):
            return rest[1], rest[0]
        return "other", rest[0] if rest else None

    def said(self, row: Row) -> Row:
        """Return a row of the world in this vendor's format."""
        words = dict(self.own_words)
        status = row.get("status")
        return {**row, "status": words.get(status, status)} if isinstance(status, str) else row

    def understood(self, row: Row) -> tuple[Any, Any, Any]:
        """Return the ID in a row, its status in OpenAI's words, and its status in the vendor's words."""
        raw = row.get("status")
        back = {own: word for word, own in self.own_words}
        return row.get("id"), back.get(raw, raw) if isinstance(raw, str) else raw, raw

    def paging(self, query: dict[str, list[str]]) -> tuple[str | None, int]:
        """Return the ID of the job before a page, or None for the first page, and the maximum number of rows."""
        return query.get("after", [None])[0], int(query.get("limit", ["20"])[0])

    def page(self, payload: Row) -> Row:
        """Return a page in this vendor's format. Its rows have that format already."""
        return payload

    def rows(self, payload: Row) -> Any:
        """Return the rows of a page."""
        return payload.get("data")

    def is_last(self, payload: Row) -> bool:
        """Return whether a page is the last one."""
        return payload.get("has_more") is False

    def changed(self, row: Row) -> Answer:
        """Return the response to a change that took effect."""
        return as_json(self.said(row))

    def refusal(self, answer: Answer) -> Answer:
        """Return an error response in this vendor's format."""
        return answer


@dataclass(frozen=True)
class Azure(Dialect):
    """Azure OpenAI: its own header, `pending` for `queued`, and a job that is `canceling` for a while."""

    def key(self, headers: dict[str, str]) -> str:
        """Return the key in the headers of a request, or an empty text."""
        return headers.get("api-key", "")


AWS_ERRORS = {
    400: (400, "ValidationException"),
    401: (403, "UnrecognizedClientException"),
    403: (403, "AccessDeniedException"),
    404: (404, "ResourceNotFoundException"),
    409: (400, "ConflictException"),
    429: (429, "ThrottlingException"),
}
ARN = "arn:aws:bedrock:us-east-1:123456789012:model-customization-job/amazon.titan-text-lite-v1:0:4k/"


@dataclass(frozen=True)
class Bedrock(Dialect):
    """Amazon Bedrock: signed requests, its own rows and errors, `Stopping`, and an empty response to a stop."""

    def is_of(self, key: str, headers: dict[str, str]) -> bool:
        """Return whether a request was signed with this key."""
        return f"Credential={key.partition(':')[0]}/" in headers.get("authorization", "")

    def verb(self, method: str, path: str) -> tuple[str, str | None]:
        """Return the operation of a request, and the ID of its job, or None for a list."""
        return super().verb(method, path.removesuffix("/stop") + "/cancel" if path.endswith("/stop") else path)

    def said(self, row: Row) -> Row:
        """Return a row of the world in this vendor's format."""
        told = super().said(row)
        own = {
            "jobName": told.get("id"),
            "jobArn": ARN + f"{abs(hash(told.get('id'))) % 10**12:012}",
            "baseModelArn": "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-text-lite-v1",
            "status": told.get("status", ...),
            "creationTime": _iso(told.get("created_at", ...)),
            "lastModifiedTime": _iso(told.get("created_at", ...)),
            "endTime": _iso(told.get("finished_at") or ...),
            "customizationType": "FINE_TUNING",
        }
        return {name: value for name, value in own.items() if value is not ...}

    def understood(self, row: Row) -> tuple[Any, Any, Any]:
        """Return the ID in a row, its status in OpenAI's words, and its status in the vendor's words."""
        _, word, raw = super().understood(row)
        return row.get("jobName"), "running" if raw == "InProgress" else word, raw

    def paging(self, query: dict[str, list[str]]) -> tuple[str | None, int]:
        """Return the ID of the job before a page, or None for the first page, and the maximum number of rows."""
        return query.get("nextToken", [None])[0], int(query.get("maxResults", ["100"])[0])

    def page(self, payload: Row) -> Row:
        """Return a page in this vendor's format. Its rows have that format already."""
        rows = payload.get("data")
        names = [row["jobName"] for row in rows or [] if isinstance(row, dict) and "jobName" in row]
        more = {"nextToken": names[-1]} if payload.get("has_more") and names else {}
        return {"modelCustomizationJobSummaries": rows, **more}

    def rows(self, payload: Row) -> Any:
        """Return the rows of a page."""
        return payload.get("modelCustomizationJobSummaries")

    def is_last(self, payload: Row) -> bool:
        """Return whether a page is the last one."""
        return "nextToken" not in payload

    def changed(self, row: Row) -> Answer:
        """Return the response to a change that took effect."""
        del row
        return Answer(200, b"", {"Content-Type": "application/json"})

    def refusal(self, answer: Answer) -> Answer:
        """Return an error response in this vendor's format."""
        if not answer.body.startswith(b'{"error"'):
            return answer
        status, kind = AWS_ERRORS.get(answer.status, (answer.status, "InternalServerException"))
        said = as_json({"message": json.loads(answer.body)["error"]["message"]}, status)
        said.headers |= {"x-amzn-ErrorType": kind, **{k: v for k, v in answer.headers.items() if k == "Retry-After"}}
        return said


def _iso(value: Any) -> Any:
    if not isinstance(value, int) or not 0 < value < 10**11:
        return value
    return datetime.fromtimestamp(value, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


BEDROCK_WORDS = (
    ("validating_files", "InProgress"),
    ("queued", "InProgress"),
    ("running", "InProgress"),
    ("pausing", "InProgress"),
    ("paused", "InProgress"),
    ("succeeded", "Completed"),
    ("failed", "Failed"),
    ("cancelling", "Stopping"),
    ("cancelled", "Stopped"),
)
OPENAI = Dialect("openai")
DIALECTS = {
    each.type: each
    for each in (
        OPENAI,
        Dialect("nebius", "/nebius/v1", "/nebius/v1/fine_tuning/jobs"),
        Dialect("litellm-passthrough", "/proxy", "/proxy/openai/v1/fine_tuning/jobs"),
        Azure(
            "azure-openai",
            "",
            "/openai/v1/fine_tuning/jobs",
            (("queued", "pending"), ("cancelling", "canceling")),
            shows_cancelling=True,
        ),
        Bedrock("bedrock", "", "/model-customization-jobs", BEDROCK_WORDS, shows_cancelling=True),
    )
}
