"""The commands in documents: their blocks, a shell that runs them, and the comparison with the output that is shown."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import forked_command
from tests.support.cli import COLD
from tests.support.fork_server import BEFORE_PYTHON, fork_server

BIN = Path(sys.executable).parent

_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MOVING = [
    (re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z"), "<time>"),
    (re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2} UTC"), "<time>"),
    (re.compile(r"(\d{4}-\d{2}-\d{2} +)?\b\d{2}:\d{2}:\d{2}\b"), "<time>"),
    (re.compile(r"\b(\d+[dhms]){1,2}(?=\s*$)", re.MULTILINE), "<age>"),
    (re.compile(r"\bcommit [0-9a-f]{7,40}\b"), "commit <sha>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
]


def all_blocks(document: Path, section: str = "") -> list[tuple[str, str]]:
    """Return the language and the text of each code block of a document, or of its section, in order."""
    text = document.read_text(encoding="utf-8")
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return _FENCE.findall(text)


def blocks(document: Path, *languages: str, section: str = "") -> list[str]:
    """Return the text of each code block in one of these languages, in order."""
    return [body for language, body in all_blocks(document, section) if language in languages]


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Yield each command of a `console` block, with the output that the block shows."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield command, output


def run(command: str, directory: Path, *, is_merged: bool = False, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a shell, with additional variables. With `is_merged`, its stderr is part of its stdout.

    In an ordinary run, `reconcile` is forked from a process that has imported it.
    """
    with _forked(environment(directory) | environ) as (variables, descriptors):
        return subprocess.run(
            ["bash", "-c", command],
            cwd=directory,
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if is_merged else subprocess.PIPE,
            pass_fds=descriptors,
            text=True,
            check=False,
        )


@contextmanager
def _forked(environ: dict[str, str]) -> Iterator[tuple[dict[str, str], list[int]]]:
    """Yield the variables and descriptors of a shell in which `reconcile` is `tests.support.forked_command`."""
    if COLD in os.environ:
        yield environ, []
        return
    orders = fork_server().fileno()
    with tempfile.TemporaryDirectory() as directory:
        script = Path(directory, "reconcile")
        script.write_text(f'#!/bin/sh\nexec {sys.executable} -IS {forked_command.__file__} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
        variables = {name: value for name, value in environ.items() if not name.startswith(BEFORE_PYTHON)}
        path = f"{directory}{os.pathsep}{environ['PATH']}"
        yield variables | {"PATH": path, forked_command.ORDERS: str(orders)}, [orders]


def environment(directory: Path) -> dict[str, str]:
    """Return the variables of a user who works in a directory: this environment without the variables of CI."""
    own = {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "XDG_CACHE_HOME": str(directory / ".cache")}
    not_ours = ("RECONCILE_", "GITHUB_", "COLUMNS")
    return {name: value for name, value in os.environ.items() if not name.startswith(not_ours)} | own


def succeed(command: str, directory: Path, *, is_merged: bool = False, **environ: str) -> str:
    """Return the output of a command that must succeed. The other arguments are those of `run`."""
    done = run(command, directory, is_merged=is_merged, **environ)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def settled(text: str) -> str:
    """Return a text without the parts that differ between runs."""
    for pattern, word in _MOVING:
        text = pattern.sub(word, text)
    return "\n".join(" ".join(line.split()) for line in text.splitlines())


def assert_shown(command: str, shown: str, printed: str) -> None:
    """Compare the output of a command with a document. The line `...` stands for any lines."""
    parts = [re.escape(part.strip("\n")) for part in re.split(r"^\.\.\.$", settled(shown), flags=re.MULTILINE)]

    assert re.fullmatch(".*".join(parts), settled(printed).strip("\n"), re.DOTALL), f"{command}:\n{printed}"
