"""The methods of a vendor's own client that the tests use: create, list, retrieve and cancel jobs of one kind.

If the package of a client is not installed, its tests are skipped.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest

from tests.contract.harnesses import ServedHarness

PAGE_SIZE = 2
Shown = dict[str, Any]
"""The fields of a job that a client shows, by the names of the attributes of `ObservedJob`."""


class JobClient(ABC):
    """A client that is connected to the jobs of one account."""

    package: ClassVar[str]
    """The name of the client's distribution."""
    module: ClassVar[str]
    marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()
    """The marks of the client's tests."""
    error: type[Exception] | tuple[type[Exception], ...]
    """The exceptions for a request that the service refuses."""

    def __init__(self, stage: ServedHarness) -> None:
        self._stage = stage
        self._opened = ExitStack()
        self.connect(pytest.importorskip(self.module, reason=f"pip install {self.package}"))

    def close(self) -> None:
        """Close the connections."""
        self._opened.close()

    @abstractmethod
    def connect(self, sdk: Any) -> None:
        """Connect to the service with the client's module."""

    @abstractmethod
    def create(self) -> str:
        """Create a job, and return its id."""

    @abstractmethod
    def rows(self) -> Iterator[Any]:
        """Yield the jobs of all pages of the list."""

    @abstractmethod
    def retrieve(self, job_id: str) -> Any:
        """Return a job."""

    @abstractmethod
    def cancel(self, job_id: str) -> None:
        """Cancel a job."""

    @abstractmethod
    def shown(self, row: Any) -> Shown:
        """Return the fields of a job that the client shows, from a list row or a retrieved job."""

    def status_of(self, error: Any) -> int:
        """Return the HTTP status of a refusal."""
        status: int = error.status_code
        return status


def moment(seconds: int | None) -> datetime | None:
    """Return the time of a number of Unix seconds, or None for None."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
