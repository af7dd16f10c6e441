"""What a CI host offers to the step that `reconcile` runs in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from reconciler.model.report import Report


class CommentRefusedError(Exception):
    """The comment could not be written; the message says why."""


class CiHost(Protocol):
    """A CI host, as one step meets it. A host that lacks a thing says so, and is then not asked for it."""

    @property
    def name(self) -> str:
        """What people call the host; the code of its warnings."""

    @property
    def reads_both_streams(self) -> bool:
        """Whether stdout and stderr are read together, as one log."""

    def harmless(self, text: str) -> str:
        """Return text in which the host finds no command, as it is printed on either stream."""

    def annotations(self, report: Report, specs: Path) -> str:
        """Return what is printed on stderr so that the host shows remarks on a report; nothing where it shows none.

        Args:
            report: what the remarks are of.
            specs: the specs directory, as seen from the working directory.
        """

    @property
    def summary_room(self) -> int | None:
        """How many bytes the step's summary still takes; None where there is no summary."""

    def add_summary(self, text: str) -> None:
        """Add to the step's summary. Raises OSError."""

    @property
    def keeps_files(self) -> bool:
        """Whether there is a directory whose files later steps can read."""

    def keep(self, name: str, text: str) -> Path:
        """Write a file for later steps, and return where it is. Raises OSError."""

    def hand_on(self, values: Mapping[str, str]) -> None:
        """Add to what later steps can read by name. Raises OSError."""

    @property
    def conversation(self) -> str | None:
        """What a comment would stand on, such as `pull request 7`; None where none can be written."""

    @property
    def comment_max(self) -> int:
        """How many characters one comment takes."""

    async def put_comment(self, marker: str, text: str) -> str:
        """Make the one comment that begins with this marker say this, and return its id.

        Raises `CommentRefusedError`, ValueError for an address that no secret may go to, and the transport's errors.
        """
