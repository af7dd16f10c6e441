"""Git, by its command line: the only module that starts a process.

Rules: a repository is data, so no hook, filter, pager, prompt or configuration of it runs; a path is always after `--`;
nothing is ever forced, and no spec is ever touched. What goes wrong is `GitError` with Git's own last line, in which no
URL keeps its user and password.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

TIMEOUT_S = 60.0
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_ADVICE": "0",
    "LC_ALL": "C",
}
_OF_A_HOOK = frozenset({"GIT_DIR", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY"})
"""What a hook that we run in would make us believe of where we are."""
_HARMLESS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    "diff.external=",
    "gpg.program=false",
    "commit.gpgSign=false",
    "protocol.ext.allow=never",
    "submodule.recurse=false",
    "log.showSignature=false",
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class GitError(Exception):
    """A command of Git failed; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one directory."""

    directory: Path
    settings: Mapping[str, str] = field(default_factory=dict)
    """More environment for each command."""

    def run(self, *arguments: str, data: bytes = b"", more: Mapping[str, str] = MappingProxyType({})) -> bytes:
        """Return what a command prints. Raises `GitError`."""
        flags = [flag for setting in _HARMLESS for flag in ("-c", setting)]
        command = ["git", "-C", str(self.directory), *flags, *arguments]
        ours = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
        environment = {**ours, **_QUIET, **self.settings, **more}
        try:
            ran = subprocess.run(  # noqa: S603  a list, no shell, and every path stands after `--`
                command, input=data, capture_output=True, env=environment, timeout=TIMEOUT_S, check=False
            )
        except FileNotFoundError:
            msg = "git is not installed"
            raise GitError(msg) from None
        except subprocess.TimeoutExpired:
            msg = f"git {arguments[0]} took longer than {TIMEOUT_S:.0f} s"
            raise GitError(msg) from None
        if ran.returncode != 0:
            raise GitError(_complaint(arguments, ran.stderr))
        return ran.stdout

    def text(self, *arguments: str, data: bytes = b"", more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return what a command prints, as text without the last line break. Raises `GitError`."""
        return self.run(*arguments, data=data, more=more).decode("utf-8", "replace").rstrip("\n")

    def find(self, *arguments: str) -> str | None:
        """Return what a command prints, or None where it fails: there is no such thing."""
        try:
            return self.text(*arguments)
        except GitError:
            return None


def _complaint(arguments: Sequence[str], stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines()
    last = _CREDENTIALS.sub("", lines[-1]) if lines else "it failed"
    return f"git {arguments[0]}: {last}"
