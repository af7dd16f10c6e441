"""Read earlier statuses from the Git history, for a journal that was started recently."""

from __future__ import annotations

from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.core.remembered_attempts import WINDOW
from reconciler.git.status_history import earlier_statuses
from reconciler.local.attempt_journal import StateJournal
from reconciler.local.clock import SystemClock
from reconciler.model.journal import EarlierStatuses


def older_statuses(paths: Paths, state_dir: Path, journal: StateJournal) -> EarlierStatuses:
    """Return earlier statuses from the Git history, if the journal was started less than `WINDOW` ago.

    The guard counts their attempts, because the journal does not contain them. If the journal is older or cannot be
    read, or if the specs come from a Git remote, return an empty value.
    """
    now = SystemClock().now()
    if paths.remote is not None:
        return EarlierStatuses()
    try:
        is_covered = now - journal.since() >= WINDOW
    except OSError:
        return EarlierStatuses()  # each pass reports that the journal cannot be read
    return EarlierStatuses() if is_covered else earlier_statuses(paths.specs, paths.statuses, state_dir, now)
