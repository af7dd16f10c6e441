"""The port of a CI host: what it offers to the step in which `reconcile` runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from reconciler.model.report import Report


class CommentRefusedError(Exception):
    """The comment could not be written. The message says why."""


class CiHost(Protocol):
    """A CI host during one step. A property says whether the host has a feature; a method is called only if it has."""

    @property
    def name(self) -> str:
        """The host's name, which its warnings start with."""

    @property
    def reads_both_streams(self) -> bool:
        """Whether the host reads stdout and stderr as one log."""

    def without_commands(self, text: str) -> str:
        """Return text without workflow commands, as it is printed on stdout or stderr."""

    def annotations(self, report: Report, specs: Path) -> str:
        """Return the text for stderr that makes the host show annotations for a report, or an empty text.

        Args:
            report: the report.
            specs: the specs directory, relative to the working directory.
        """

    @property
    def summary_bytes_left(self) -> int | None:
        """How many bytes the step's summary can still take, or None if there is no summary."""

    def add_summary(self, text: str) -> None:
        """Append to the step's summary. Raises OSError."""

    @property
    def keeps_files(self) -> bool:
        """Whether files can be kept for later steps."""

    def write_file(self, name: str, text: str) -> Path:
        """Write a file for later steps, and return its path. Raises OSError."""

    def set_outputs(self, values: Mapping[str, str]) -> None:
        """Set outputs that later steps can read by name. Raises OSError."""

    @property
    def comment_target(self) -> str | None:
        """Where a comment would be written, such as `pull request 7`, or None if it cannot be."""

    @property
    def comment_max(self) -> int:
        """The most characters of a comment."""

    async def put_comment(self, marker: str, text: str) -> str:
        """Write the one comment that begins with this marker, and return its id.

        Raises `CommentRefusedError`, ValueError for an address that no secret may be sent to, and the transport's
        errors.
        """
