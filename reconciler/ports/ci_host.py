"""The port of a CI host, with the features that it provides to the step in which `reconcile` runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from reconciler.model.report import Report


class CommentRefusedError(Exception):
    """The host refused to write a comment. The message states the cause."""


class CiHost(Protocol):
    """A CI host during one step.

    A method that uses an optional feature is called only if the property for that feature shows that the host has it.
    """

    @property
    def name(self) -> str:
        """The host's name. Warnings about the host begin with it."""

    @property
    def reads_both_streams(self) -> bool:
        """Whether the host reads stdout and stderr as one log."""

    def without_commands(self, text: str) -> str:
        """Return the text, changed so that the host does not interpret any part of it as a workflow command."""

    def annotations(self, report: Report, specs: Path, *, is_from_top: bool) -> str:
        """Return the text to write to stderr so that the host shows annotations for a report, or an empty string.

        Args:
            report: the report.
            specs: the specs directory, relative to the working directory.
            is_from_top: whether the paths are relative to the top of the repository instead.
        """

    @property
    def summary_bytes_left(self) -> int | None:
        """How many bytes can still be added to the step's summary, or None if there is no summary.

        Raises `OSError` if the size of the summary cannot be read.
        """

    def add_summary(self, text: str) -> None:
        """Append to the step's summary. Raises `OSError` if it cannot be written."""

    @property
    def keeps_files(self) -> bool:
        """Whether `write_file` can keep files for later steps."""

    def write_file(self, name: str, text: str) -> Path:
        """Write a file with this name for later steps, and return its path. Raises `OSError` if that fails."""

    def set_outputs(self, values: Mapping[str, str]) -> None:
        """Set outputs that later steps can read by name. Raises `OSError` if they cannot be written."""

    @property
    def comment_target(self) -> str | None:
        """Where a comment would be written, such as `pull request 7`, or None if no comment can be written."""

    @property
    def comment_max(self) -> int:
        """The maximum length of a comment, in characters."""

    async def put_comment(self, marker: str, text: str) -> str:
        """Create or replace the comment that begins with this marker, and return its id.

        Raises `CommentRefusedError` if the host refuses the comment, `ValueError` if the address of the host is invalid
        or the token must not be sent to it, and `TransientError` or `PermanentError` if there is no usable response.
        """
