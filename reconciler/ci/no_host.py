"""Where no CI host is: a terminal, a cron job, a host that `reconcile` does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from reconciler.model.report import Report


class NoHost:
    """A host that offers nothing."""

    name = "CI"
    reads_both_streams = False
    summary_room = None
    keeps_files = False
    conversation = None
    comment_max = 0

    def harmless(self, text: str) -> str:
        """Return the text: nothing here reads commands."""
        return text

    def annotations(self, _report: Report, _specs: Path) -> str:
        """Return nothing."""
        return ""

    def add_summary(self, _text: str) -> None:
        """Raise LookupError: there is no summary."""
        raise LookupError(self.name)

    def keep(self, _name: str, _text: str) -> Path:
        """Raise LookupError: there is no later step."""
        raise LookupError(self.name)

    def hand_on(self, _values: Mapping[str, str]) -> None:
        """Do nothing: there is no later step."""

    async def put_comment(self, _marker: str, _text: str) -> str:
        """Raise LookupError: there is nothing to comment on."""
        raise LookupError(self.name)


NO_HOST = NoHost()
