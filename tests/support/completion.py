"""What a shell offers when a user asks for the completion of a command line."""

from __future__ import annotations

from pathlib import Path

from tests.support.cli import Checkout


def offered_by(directory: Path, typed: str) -> list[str]:
    """Return the words that Bash offers for the last word of a command line that is typed in a directory."""
    variables = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_RECONCILE_COMPLETE": "bash_complete"}
    done = Checkout(directory, variables).run()

    assert done.err == ""
    assert all(word.startswith("plain,") for word in done.out.split())
    return [word.removeprefix("plain,") for word in done.out.split()]
