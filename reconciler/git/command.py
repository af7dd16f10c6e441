"""Git, by its command line: the only module that starts a process.

Rules: every command names its repository, so that Git discovers none; a repository is data, so no hook, filter, pager,
prompt or configuration of it runs (see `git_settings`); a revision stands after `--end-of-options`, a path after `--`;
nothing is ever forced, and no spec is ever touched; nothing that Git starts outlives its command. What goes wrong is
`GitError` with Git's own last words, in which no URL keeps its user and password.
"""

from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import MappingProxyType
from typing import IO

from reconciler.git.bounds import bound
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.git.settings import NO_HOUSEKEEPING, NO_PROGRAM, OURS, environment, is_elsewhere, stand_in

TIMEOUT_S = 60.0
FETCHED_MAX = 512 * 1024 * 1024
"""What one fetch may bring: a branch of specs or statuses never does."""
SAID_MAX = 64 * 1024 * 1024
"""What one command may print. A few trees that name each other stand for more files than any memory holds."""
MEMORY_MAX = 512 * 1024 * 1024
"""What one that needs no remote may have of it, besides the packs that it reads: some list all before they print."""
REMOTE_MEMORY_MAX = 192 * 1024 * 1024
"""What each process of one may have that asks another machine: Git keeps each branch that is offered, and each commit.

A repository on this machine is served by processes of the same command, which need what it is large.
"""
STOPS_WITHIN_S = 8.0
"""How long a command may take once the program is to end."""
_ENDS_WITHIN_S = 2.0
_STEP_S = 0.1
_SAID_AT_MOST = 1024
_WITH_A_REMOTE = frozenset({"ls-remote", "fetch", "push"})
_NO = 1
"""The exit code by which Git says that there is no such thing."""
_CREDENTIALS = re.compile(r"(?<=://)[^/@\s]+@")
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GitError(Exception):
    """A command of Git failed; the message says which and why.

    `code` is its exit code, or None where it did not end by itself.
    """

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


def _never() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Git:
    """Git in one repository.

    Args:
        git_dir: the repository; of a linked working tree, what is its own.
        work_tree: the working tree; None where it is bare.
        common_dir: where its branches and objects are; None only where nothing of a repository is read.
        settings: the text of its configuration, in the place of the one in `common_dir`.
        attributes: what comes before the attributes that its commits hold.
        access: what opens the remote.
        is_stopping: whether the program is to end, so that a remote which does not answer is not waited for.
        scratch: where temporary files go; None is the system's place for them.
    """

    git_dir: Path
    work_tree: Path | None = None
    common_dir: Path | None = None
    settings: str = field(default="", repr=False)
    attributes: str = NO_PROGRAM
    access: RemoteCredentials | None = None
    is_stopping: Callable[[], bool] = _never
    scratch: Path | None = None

    @property
    def directory(self) -> Path:
        """Where commands run: the top of the working tree, or of the bare repository."""
        return self.work_tree or self.git_dir

    def run(
        self,
        verb: str,
        *arguments: str,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
        file_max: int | None = None,
        said_max: int = SAID_MAX,
    ) -> bytes:
        """Return what a command prints. Raises `GitError`.

        Args:
            verb: the command.
            arguments: what it is given.
            data: what it reads.
            more: environment for it.
            file_max: the bytes of the largest file that it may write, where the system can bound that.
            said_max: how many bytes it may print, within what a tenth of a second brings.
        """
        where = [f"--git-dir={self.git_dir}", *([f"--work-tree={self.work_tree}"] if self.work_tree else [])]
        settings = OURS if self.work_tree is None else (*OURS, *NO_HOUSEKEEPING)
        flags = [flag for setting in settings for flag in ("-c", setting)]
        command = ["git", "-C", str(self.directory), *where, *flags, verb, *arguments]
        with ExitStack() as stack:
            process = self._start(command, verb, data, more, stack)
            limits = self._limits(verb, file_max)
            try:
                out, complaints = self._finish(process, verb, said_max, limits)
                _check_length(verb, (out, complaints), said_max)
            except subprocess.TimeoutExpired:
                _end(process)
                msg = f"git {verb} took too long, and was ended"
                raise GitError(msg) from None
            except BaseException:
                _end(process)
                raise
        if process.returncode != 0:
            complaint = _complaint(verb, complaints)
            raise GitError(self.access.strike(complaint) if self.access else complaint, process.returncode)
        return out

    def text(
        self, verb: str, *arguments: str, data: bytes = b"", more: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Return what a command prints, as text without the last line break. Raises `GitError`."""
        return self.run(verb, *arguments, data=data, more=more).decode("utf-8", "replace").rstrip("\n")

    def find(self, verb: str, *arguments: str) -> str | None:
        """Return what a command prints, or None where Git says that there is no such thing. Raises `GitError`."""
        try:
            return self.text(verb, *arguments)
        except GitError as error:
            if error.code == _NO:
                return None
            raise

    def read_blobs(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of blobs, in one command. Raises `GitError`."""
        return self.read_objects("blob", names)

    def read_objects(self, kind: str, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of objects of one kind, in one command. Raises `GitError`."""
        answer = self.run("cat-file", "--batch", data=_lines(names), said_max=FETCHED_MAX)
        at = 0
        for name in names:
            end = answer.find(b"\n", at)
            facts = answer[at:end].split(b" ")
            if facts[1:2] != [kind.encode()]:
                msg = f"git cat-file: there is no {kind} {name[:12]}"
                raise GitError(msg)
            size = int(facts[2])
            yield answer[end + 1 : end + 1 + size]
            at = end + size + 2

    def sizes(self, names: Sequence[str]) -> dict[str, int]:
        """Return the bytes of objects, without those that are missing. Raises `GitError`."""
        told = self.text("cat-file", "--batch-check=%(objectname) %(objectsize)", data=_lines(names))
        found = (line.split() for line in told.splitlines())
        return {name: int(size) for name, size in found if size.isdecimal()}

    def _start(
        self, command: Sequence[str], verb: str, data: bytes, more: Mapping[str, str], stack: ExitStack
    ) -> subprocess.Popen[bytes]:
        """Start a command, with what it needs until the stack is closed. Raises `GitError`."""
        try:
            stdin, common = self._read_from(data, stack), self._stand_in(stack)
            # A session of its own has no terminal to ask at, and what Git starts can be ended with it.
            return subprocess.Popen(  # noqa: S603  a list, no shell, and every path stands after `--`
                command,
                stdin=stdin,
                stdout=PIPE,
                stderr=PIPE,
                env={**self._environment(verb), **common, **more},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            msg = "git is not installed" if error.filename == command[0] else f"git {verb}: {error}"
            raise GitError(msg) from None
        except OSError as error:
            msg = f"git {verb} cannot be started: {error.strerror or error}"
            raise GitError(msg) from None

    def _read_from(self, data: bytes, stack: ExitStack) -> int | IO[bytes]:
        """Return what a command reads, as a file without a name. Raises OSError.

        A pipe would have to be filled while Git writes, and `communicate` goes on with no input once its timeout has
        interrupted it: Git would wait for the rest of what a pipe cannot hold, and we for Git.
        """
        if not data:
            return DEVNULL
        file = stack.enter_context(tempfile.TemporaryFile(dir=self.scratch))  # noqa: SIM115  the stack closes it
        file.write(data)
        file.seek(0)
        return file

    def _stand_in(self, stack: ExitStack) -> Mapping[str, str]:
        """Return what leads Git to the settings that are given. Raises OSError.

        What a command writes into its configuration is gone with it. That a fetch under a filter promises the remote
        will always bring the rest must be forgotten: a push would then bring the commits of whoever was faster without
        their files, and the next fetch would believe that it has them.
        """
        if self.common_dir is None:
            return {}
        made = stand_in(self.common_dir, self.settings, self.attributes, self.scratch)
        return {"GIT_COMMON_DIR": str(stack.enter_context(made))}

    def _limits(self, verb: str, file_max: int | None) -> dict[int, int]:
        limits = {} if file_max is None else {resource.RLIMIT_FSIZE: file_max}
        if verb not in _WITH_A_REMOTE:
            limits[resource.RLIMIT_DATA] = MEMORY_MAX
        elif is_elsewhere(self.settings):
            limits[resource.RLIMIT_DATA] = REMOTE_MEMORY_MAX
        return limits

    def _finish(
        self, process: subprocess.Popen[bytes], verb: str, said_max: int, limits: Mapping[int, int]
    ) -> tuple[bytes, bytes]:
        """Return what a command prints and complains of. Raises `TimeoutExpired`, and `GitError` for too much of it."""
        left: float = TIMEOUT_S
        while True:
            # Again with each step, for what was being started is not there yet to be found.
            bound(process.pid, limits)
            try:
                return process.communicate(timeout=_STEP_S)
            except subprocess.TimeoutExpired as so_far:
                _check_length(verb, (so_far.output, so_far.stderr), said_max)
                left = min(left - _STEP_S, STOPS_WITHIN_S if self.is_stopping() else TIMEOUT_S)
                if left <= 0:
                    raise

    def _environment(self, verb: str) -> Mapping[str, str]:
        ours = environment(os.environ, has_remote=verb in _WITH_A_REMOTE)
        try:
            opening = self.access.environment(int(ours.get("GIT_CONFIG_COUNT") or 0)) if self.access else {}
        except (OSError, ValueError) as error:
            # Not the path: it may be the token itself, given where its file was meant.
            why = error.strerror if isinstance(error, OSError) else error
            msg = f"the file of the token for the remote cannot be read: {why}"
            raise GitError(msg) from None
        return {**ours, **opening}


def without_credentials(text: str) -> str:
    """Return a text in which no URL has a user or a password."""
    return _CREDENTIALS.sub("", text)


def _check_length(verb: str, said: tuple[bytes | None, bytes | None], most: int) -> None:
    if any(len(each or b"") > most for each in said):
        msg = f"git {verb} prints more than {most // 1024**2} MiB, which no repository of specs needs"
        raise GitError(msg) from None


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


def _lines(names: Sequence[str]) -> bytes:
    """Return names of objects as a command reads them. Raises `GitError` for one that is none."""
    for name in names:
        if _OBJECT.fullmatch(name) is None:
            msg = "git was about to be asked for what is no object"
            raise GitError(msg)
    return "".join(f"{name}\n" for name in names).encode("ascii")


def _complaint(verb: str, stderr: bytes) -> str:
    lines = stderr.decode("utf-8", "replace").strip().splitlines() or ["it failed"]
    fatal = next((at for at, line in enumerate(lines) if line.startswith("fatal:")), len(lines) - 1)
    # What ssh says stands before that; after it stands only what a person might check.
    last = without_credentials(" ".join(lines[max(0, fatal - 1) : fatal + 1]))
    readable = "".join(each if each.isprintable() else " " for each in last)
    return f"git {verb}: {readable[:_SAID_AT_MOST]}"
