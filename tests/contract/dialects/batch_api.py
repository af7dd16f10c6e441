"""The sandbox's batches in the words of services that have only batches: what their dialects have in common."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.contract.dialects.translating_app import ForeignApi, Json, moment

INSIDE = "/v1/batches"
_ENDS = ("completed_at", "failed_at", "expired_at", "cancelled_at")


class ForeignBatches(ForeignApi):
    """A service whose batches are nothing like OpenAI's."""

    inside = INSIDE


class CancelledBatches(ForeignBatches):
    """A service that returns the batch in its response to a cancel."""

    def accepted(self, row: Json) -> Json:
        """Return the batch."""
        return self.job(row)


def ended_at(row: Json) -> Any:
    """Return when a batch of the sandbox ended, or None."""
    return next((row[key] for key in _ENDS if row[key] is not None), None)


def rfc3339(value: object) -> object:
    """Return a time of the sandbox's as RFC 3339 text; what is none goes through as it is."""
    return moment(value, _text)


def _text(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.123456Z"
