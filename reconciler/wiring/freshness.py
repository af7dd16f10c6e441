"""How fresh statuses are: what each pass notes in the state directory, and what a reader finds there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from reconciler.controller.run_options import Paths
from reconciler.local.last_pass import read_last_pass, write_last_pass
from reconciler.local.state_dir import StateDirUnsafeError, default_state_dir
from reconciler.model.report import LastPass, Report
from reconciler.ports import Now


@dataclass(frozen=True, slots=True)
class PassNotes:
    """Notes of the passes of one process."""

    state_dir: Path
    command: str
    now: Now

    def note(self, report: Report, seen_at: Mapping[str, datetime] | None = None, *, is_whole: bool = True) -> None:
        """Note that a pass has ended. A disk that refuses costs the note, and no more.

        Args:
            report: of the pass.
            seen_at: when the job of each account was seen that has not been for the longest; None where it was now.
            is_whole: whether it was about all specs. A part of an account does not stand for the whole.
        """
        now = self.now()
        observed = _observed(read_last_pass(self.state_dir))
        if is_whole:
            wanted = {str(row.ref.account) for row in report.rows if row.ref is not None}
            observed = {account: at for account, at in observed.items() if account in wanted}
            seen = {str(each.account) for each in report.accounts if each.is_seen}
            observed |= {account: (seen_at or {}).get(account, now) for account in seen}
        with suppress(OSError):
            write_last_pass(self.state_dir, LastPass(now, self.command, observed))


def last_pass_of(paths: Paths) -> LastPass | None:
    """Return what is known here of the last pass over these specs; nothing on a machine that made none."""
    try:
        return read_last_pass(paths.state_dir or default_state_dir(paths.identity, os.environ))
    except (StateDirUnsafeError, OSError):
        return None


def command_line() -> str:
    """Return what others are told of our command line: no option's value, for it may be a URL with a secret in it."""
    arguments = sys.argv[1:]
    verbs = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    return " ".join(["reconcile", *verbs, *(each.partition("=")[0] for each in arguments if each.startswith("--"))])


def _observed(last: LastPass | None) -> dict[str, datetime]:
    return dict(last.observed_at) if last is not None else {}
