"""What a shell offers when a user asks for the completion of a command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def offered_by(directory: Path, typed: str) -> list[str]:
    """Return the words that Bash offers for the last word of a command line that is typed in a directory."""
    variables = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_RECONCILE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [Path(sys.executable).parent / "reconcile"],
        cwd=directory,
        env={"PATH": "", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert all(word.startswith("plain,") for word in done.stdout.split())
    return [word.removeprefix("plain,") for word in done.stdout.split()]
