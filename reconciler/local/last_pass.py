"""Record when the last pass ended and when each account was last observed, in the state directory.

Rules: the record shows users how recent a status is. No decision depends on it. The times are not in the statuses,
because a status file changes only when the state of its job changes. A record that cannot be read is treated as
missing.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from reconciler.local.file_writer import replace_file
from reconciler.model.report import LastPass
from reconciler.model.spec import parse_instant, render_instant

FILE = "last-pass.json"
_SIZE_MAX = 1 << 20


def read_last_pass(state_dir: Path) -> LastPass | None:
    """Return the record, or None if it is missing, invalid or unreadable."""
    try:
        with (state_dir / FILE).open("rb") as file:
            record = json.loads(file.read(_SIZE_MAX))
        observed = {str(account): parse_instant(at) for account, at in record["observedAt"].items()}
        return LastPass(parse_instant(record["at"]), str(record["command"]), observed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_last_pass(state_dir: Path, last: LastPass) -> None:
    """Write the record. Raises `OSError` if it cannot be written."""
    record = {
        "at": _rendered(last.at),
        "command": last.command,
        "observedAt": {account: _rendered(at) for account, at in sorted(last.observed_at.items())},
    }
    replace_file(state_dir / FILE, (json.dumps(record, indent=1) + "\n").encode())


def _rendered(at: datetime) -> str:
    return render_instant(at.replace(microsecond=0))
