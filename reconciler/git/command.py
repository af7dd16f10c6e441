"""Git, by its command line: the only module that starts a process.

Rules: a repository is data, so no hook, filter, pager, prompt or configuration of it runs; a path is always after `--`;
nothing is ever forced, and no spec is ever touched; nothing that Git starts outlives its command. What goes wrong is
`GitError` with Git's own last words, in which no URL keeps its user and password.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import PIPE
from types import MappingProxyType

from reconciler.git.remote_credentials import GitAccess

TIMEOUT_S = 60.0
FETCHED_MAX = 512 * 1024 * 1024
"""What one fetch may bring: a branch of specs or statuses never does."""
STOPS_WITHIN_S = 8.0
"""How long a command may take once the program is to end."""
_ENDS_WITHIN_S = 2.0
_STEP_S = 0.5
_SAID_AT_MOST = 1024
_QUIET = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PAGER": "cat",
    "GIT_EDITOR": "true",
    "GIT_ADVICE": "0",
    "LC_ALL": "C",
}
_WITH_A_REMOTE = frozenset({"ls-remote", "fetch", "push"})
_MOVING = frozenset({"fetch", "push"})
_PROMISES = ("extensions.partialClone", "remote.origin.promisor", "remote.origin.partialclonefilter")
_ALONE = {"GIT_ALLOW_PROTOCOL": "none", "GIT_NO_LAZY_FETCH": "1"}
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
    "gc.autoDetach=false",
    "http.lowSpeedLimit=1",
    "http.lowSpeedTime=20",
)
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")


class GitError(Exception):
    """A command of Git failed; the message says which and why."""


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one directory."""

    directory: Path
    access: GitAccess | None = None
    """What opens the remote."""
    is_stopping: Callable[[], bool] = _never
    """Whether somebody wants the program to end, so that a remote which does not answer is not waited for."""
    _moving: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False, compare=False)

    def run(
        self,
        *arguments: str,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
        file_max: int | None = None,
    ) -> bytes:
        """Return what a command prints. Raises `GitError`.

        Args:
            arguments: the command.
            data: what it reads.
            more: environment for it.
            file_max: the bytes of the largest file that it may write, where the system can bound that.
        """
        verb = _verb(arguments)
        if self.access is None or verb not in _MOVING:
            return self._run(verb, arguments, data, more, file_max)
        with self._moving:
            try:
                return self._run(verb, arguments, data, more, file_max)
            finally:
                self.forget_promises()

    def forget_promises(self) -> None:
        """Let Git take what was left out of our clone for missing.

        A fetch under a filter makes it believe that the remote will always bring the rest. A push would then bring the
        commits of whoever was faster, without their files, and the next fetch would believe that it has them.
        """
        for setting in _PROMISES:
            with suppress(GitError):
                self._run("config", ("config", "--unset", setting), b"", {}, None)

    def _run(
        self, verb: str, arguments: Sequence[str], data: bytes, more: Mapping[str, str], file_max: int | None
    ) -> bytes:
        flags = [flag for setting in _HARMLESS for flag in ("-c", setting)]
        command = ["git", "-C", str(self.directory), *flags, *arguments]
        environment = {**self._environment(verb), **more}
        try:
            # A session of its own has no terminal to ask at, and what Git starts can be ended with it.
            process = subprocess.Popen(  # noqa: S603  a list, no shell, and every path stands after `--`
                command, stdin=PIPE, stdout=PIPE, stderr=PIPE, env=environment, start_new_session=True
            )
        except FileNotFoundError:
            msg = "git is not installed"
            raise GitError(msg) from None
        if file_max is not None and sys.platform == "linux":
            # Git is still starting, and has not begun what it starts itself.
            with suppress(ProcessLookupError):
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_max, file_max))
        try:
            out, complaints = self._finish(process, data)
        except subprocess.TimeoutExpired:
            _end(process)
            msg = f"git {verb} took too long, and was ended"
            raise GitError(msg) from None
        except BaseException:
            _end(process)
            raise
        if process.returncode != 0:
            complaint = _complaint(verb, complaints)
            raise GitError(self.access.strike(complaint) if self.access else complaint)
        return out

    def text(self, *arguments: str, data: bytes = b"", more: Mapping[str, str] = MappingProxyType({})) -> str:
        """Return what a command prints, as text without the last line break. Raises `GitError`."""
        return self.run(*arguments, data=data, more=more).decode("utf-8", "replace").rstrip("\n")

    def find(self, *arguments: str) -> str | None:
        """Return what a command prints, or None where it fails: there is no such thing."""
        try:
            return self.text(*arguments)
        except GitError:
            return None

    def read_blobs(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of blobs, in one command. Raises `GitError`."""
        answer = self.run("cat-file", "--batch", data="".join(f"{name}\n" for name in names).encode())
        at = 0
        for name in names:
            end = answer.index(b"\n", at)
            facts = answer[at:end].split(b" ")
            if facts[1:2] != [b"blob"]:
                msg = f"git cat-file: there is no blob {name[:12]}"
                raise GitError(msg)
            size = int(facts[2])
            yield answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the bytes of objects that are here. Raises `GitError`."""
        asked = "".join(f"{name}\n" for name in names).encode()
        told = self.text("cat-file", "--batch-check=%(objectname) %(objectsize)", data=asked)
        return {name: int(size) for name, size in (line.split() for line in told.splitlines())}

    def _finish(self, process: subprocess.Popen[bytes], data: bytes) -> tuple[bytes, bytes]:
        """Return what a command prints and complains of. Raises `TimeoutExpired`."""
        left: float = TIMEOUT_S
        given: bytes | None = data
        while True:
            try:
                return process.communicate(given, timeout=_STEP_S)
            except subprocess.TimeoutExpired:
                given = None
                left = min(left - _STEP_S, STOPS_WITHIN_S if self.is_stopping() else TIMEOUT_S)
                if left <= 0:
                    raise

    def _environment(self, verb: str) -> Mapping[str, str]:
        ours = {name: value for name, value in os.environ.items() if name not in _OF_A_HOOK}
        count = int(ours.get("GIT_CONFIG_COUNT") or 0)
        try:
            opening = self.access.environment(count) if self.access else {}
        except (OSError, ValueError) as error:
            msg = f"the token for the remote cannot be read: {error}"
            raise GitError(msg) from None
        # Of our own clone some blobs were left out: nothing may fetch them because it comes across their names.
        alone = _ALONE if self.access is not None and verb not in _WITH_A_REMOTE else {}
        return {**ours, **_QUIET, **opening, **alone}


def without_credentials(text: str) -> str:
    """Return a text in which no URL has a user or a password."""
    return _CREDENTIALS.sub("", text)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a command and all that it has started; asked politely first, it takes its temporary files away."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=_ENDS_WITHIN_S)
            break
    with suppress(ChildProcessError):
        # Only the first process of a container has any: the orphans become its own.
        while os.waitpid(-process.pid, os.WNOHANG)[0]:
            pass


def _verb(arguments: Sequence[str]) -> str:
    """Return what Git was asked to do: what comes after its settings."""
    words = list(arguments)
    while words[0] == "-c":
        del words[:2]
    return words[0]


def _complaint(verb: str, stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
    fatal = next((at for at, line in enumerate(lines) if line.startswith("fatal:")), len(lines) - 1)
    # What ssh says stands before that; after it stands only what a person might check.
    last = without_credentials(" ".join(lines[max(0, fatal - 1) : fatal + 1]))
    readable = "".join(each if each.isprintable() else " " for each in last)
    return f"git {verb}: {readable[:_SAID_AT_MOST]}"
