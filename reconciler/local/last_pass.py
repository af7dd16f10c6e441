"""When the last pass ended, and when each account was last observed: a file in the state directory.

Rules: it is for people who ask how fresh a status is, and nothing is decided by it; statuses do not say it, because
they change only with news. What cannot be read counts as unknown.
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
    """Return what the file says; None where there is none, or nothing that can be read."""
    try:
        with (state_dir / FILE).open("rb") as file:
            told = json.loads(file.read(_SIZE_MAX))
        observed = {str(account): parse_instant(at) for account, at in told["observedAt"].items()}
        return LastPass(parse_instant(told["at"]), str(told["command"]), observed)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def write_last_pass(state_dir: Path, last: LastPass) -> None:
    """Replace the file. Raises OSError."""
    told = {
        "at": _told(last.at),
        "command": last.command,
        "observedAt": {account: _told(at) for account, at in sorted(last.observed_at.items())},
    }
    replace_file(state_dir / FILE, (json.dumps(told, indent=1) + "\n").encode())


def _told(at: datetime) -> str:
    return render_instant(at.replace(microsecond=0))
