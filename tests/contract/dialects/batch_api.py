"""The common part of the dialects whose batches have a format of their own.

A dialect receives each batch in OpenAI's format from the sandbox (`reconciler.sandbox.batch_serialization`), and
returns it in the format of its service.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from reconciler.model.job import Phase
from tests.contract.dialects.translating_app import ForeignApi, Json, moment

INSIDE = "/v1/batches"
BATCHES = (*(f"batch_{phase}" for phase in Phase), "batch_created-000001")
"""The sandbox's ids of the batches that can exist: those that are named after their phases, and the first new one."""
_ENDS = ("completed_at", "failed_at", "expired_at", "cancelled_at")


class ForeignBatches(ForeignApi):
    """A service whose batches have a format of its own."""

    inside = INSIDE

    def outer_id(self, inner: str) -> str:
        """Return the service's id of a batch."""
        return inner

    def inner_id(self, batch_id: str) -> str:
        """Return the sandbox's id of the batch that the service shows with this id."""
        return next((each for each in BATCHES if self.outer_id(each) == batch_id), "batch_unknown")


class CancelledBatches(ForeignBatches):
    """A service that returns the batch in its response to a cancel."""

    def accepted(self, row: Json) -> Json:
        """Return the batch as the body of the response to a cancel."""
        return self.job(row)


def batch_uuid(inner: str) -> str:
    """Return a UUID for a batch of the sandbox."""
    return f"00000000-0000-4000-8000-{number_of(inner):012}"


def number_of(inner: str) -> int:
    """Return a unique number for a batch of the sandbox."""
    return BATCHES.index(inner)


def is_route(method: str, job: str | None, verb: str | None) -> bool:
    """Return whether a request is one that every service supports: a list, a create, a retrieve or a cancel."""
    return method == ("POST" if verb else "GET") or (method == "POST" and not job)


def creation(job: str | None, body: bytes, *path: str | int) -> Json | None:
    """Return the body of the sandbox's request for a new batch, or None if the request does not create one.

    Args:
        job: the id in the path of the request, or None if the path has none.
        body: the body of the request.
        path: the keys and indexes that lead to the name of the input in that body.
    """
    if job or not body:
        return None
    found = json.loads(body)
    for each in path:
        found = found[each]
    return {"input_file_id": found, "endpoint": "/v1/chat/completions", "completion_window": "24h"}


def ended_at(row: Json) -> Any:
    """Return the end time of a batch of the sandbox, or None if it has not ended."""
    return next((row[key] for key in _ENDS if row[key] is not None), None)


def rfc3339(value: object) -> object:
    """Return a time of the sandbox as RFC 3339 text. A value that is not a time is returned unchanged."""
    return moment(value, _text)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456Z"
