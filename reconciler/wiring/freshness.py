"""The age of statuses: a pass that may request changes records when each account was last observed.

The record is in the state directory. Commands that only read files, such as `get`, show its times.
"""

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
class PassRecorder:
    """A recorder for the passes of one process."""

    state_dir: Path
    command: str
    now: Now

    def record(
        self, report: Report, seen_at: Mapping[str, datetime] | None = None, *, is_complete: bool = True
    ) -> None:
        """Record that a pass has ended now. A write error is ignored, because no decision depends on the record.

        Args:
            report: the report of the pass.
            seen_at: when the least recently observed job of each account was observed, by account line. For an account
                that is missing here but was observed by this pass, the current time is recorded. None is the same as
                an empty mapping.
            is_complete: whether the run covers all specs. If not, the times of the accounts are not updated.
        """
        now = self.now()
        observed = _observed(read_last_pass(self.state_dir))
        if is_complete:
            used = {str(row.ref.account) for row in report.rows if row.ref is not None}
            observed = {account: at for account, at in observed.items() if account in used}
            observed_now = {str(each.account) for each in report.accounts if each.is_seen}
            observed |= {account: (seen_at or {}).get(account, now) for account in observed_now}
        with suppress(OSError):
            write_last_pass(self.state_dir, LastPass(now, self.command, observed))


def last_pass_of(paths: Paths) -> LastPass | None:
    """Return the record of the last pass over these specs on this machine, or None if it is missing or unreadable."""
    try:
        return read_last_pass(paths.state_dir or default_state_dir(paths.identity, os.environ))
    except (StateDirUnsafeError, OSError):
        return None


def command_line() -> str:
    """Return the verb and the option names of this process. Values are left out, because a URL may contain a secret."""
    arguments = sys.argv[1:]
    verbs = arguments[:1] if arguments and not arguments[0].startswith("-") else []
    return " ".join(["reconcile", *verbs, *(each.partition("=")[0] for each in arguments if each.startswith("--"))])


def _observed(last: LastPass | None) -> dict[str, datetime]:
    return dict(last.observed_at) if last is not None else {}
