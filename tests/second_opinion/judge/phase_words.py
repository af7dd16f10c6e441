"""The status values that show that a change has not taken effect, by change."""

from __future__ import annotations

from tests.second_opinion.jobs import UNFINISHED

UNDONE = {
    "cancel": UNFINISHED - {"cancelling"},
    "pause": frozenset({"validating_files", "queued", "running"}),
    "resume": frozenset({"paused", "pausing"}),
}
"""The status values of an observation that show that a change has not taken effect, by change."""
