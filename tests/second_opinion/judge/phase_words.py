"""The status values that show that a change has not taken effect, by change."""

from __future__ import annotations

from tests.second_opinion.jobs import UNFINISHED

UNDONE = {
    "cancel": UNFINISHED - {"cancelling"},
    "pause": frozenset({"validating_files", "queued", "running"}),
    "resume": frozenset({"paused", "pausing"}),
}
"""A look that shows one of these words after a change says that it has not taken effect."""
