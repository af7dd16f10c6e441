"""The host for runs outside every supported CI host: on a terminal, in a cron job, or in another CI system."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.model.report import Report


class NoHost:
    """A host without annotations, a summary, outputs or comments."""

    name = "CI"
    reads_both_streams = False
    summary_bytes_left = None
    keeps_files = False
    comment_target = None
    comment_max = 0

    def without_commands(self, text: str) -> str:
        """Return the text unchanged, because no host reads commands here."""
        return text

    def annotations(self, _report: Report, _specs: Path, *, is_from_top: bool) -> str:  # noqa: ARG002  the port's
        """Return an empty text, because no host reads annotations here."""
        return ""

    def add_summary(self, _text: str) -> None:
        """Raise `LookupError`, because there is no summary."""
        raise LookupError(self.name)

    def write_file(self, _name: str, _text: str) -> Path:
        """Raise `LookupError`, because there is no later step."""
        raise LookupError(self.name)

    def set_outputs(self, _values: Mapping[str, str]) -> None:
        """Do nothing, because there is no later step."""

    async def put_comment(self, _marker: str, _text: str) -> str:
        """Raise `LookupError`, because there is no pull request to comment on."""
        raise LookupError(self.name)


NO_HOST = NoHost()
