"""What a test needs of a vendor's own client: it creates, lists, retrieves and cancels jobs of one kind.

A client whose package is not installed skips the test that needs it.
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
"""What a client shows of a job, under the names of the attributes of `ObservedJob`."""


class JobClient(ABC):
    """A client that is connected to the jobs of one account."""

    package: ClassVar[str]
    """The name of its distribution."""
    module: ClassVar[str]
    marks: ClassVar[tuple[pytest.MarkDecorator, ...]] = ()
    """The marks of its tests."""
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
        """Return what the client shows of a job, in a list or by itself."""

    def status_of(self, error: Any) -> int:
        """Return the HTTP status of a refusal."""
        status: int = error.status_code
        return status


def moment(seconds: int | None) -> datetime | None:
    """Return a time from Unix seconds."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
