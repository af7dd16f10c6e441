"""Run Git commands. This is the only module that starts processes.

Rules: every command names its repository, so that Git never discovers one. A repository is data: Git runs no hook,
filter, pager or prompt that a repository configures (see `settings`). A revision from a user or a remote is passed
after `--end-of-options`, and a path after `--`. No command rewrites the history of a branch. If a command is
terminated, so is its process group. A failure raises `GitError` with Git's last message, without the user and password
of any URL.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import DEVNULL, PIPE
from types import MappingProxyType
from typing import IO

from reconciler.git.bounds import limit_resources, terminate
from reconciler.git.git_messages import message_of
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.git.settings import NO_HOUSEKEEPING, NO_PROGRAM, OUR_SETTINGS, environment, is_elsewhere, stand_in

TIMEOUT_S = 60.0
"""How long a command may run, in seconds."""
FETCH_MAX = 512 * 1024 * 1024
"""The largest pack that a fetch may write, in bytes. A branch of specs or statuses is far smaller."""
OUTPUT_MAX = 64 * 1024 * 1024
"""The maximum size of a command's output, in bytes. A few nested trees can list more files than fit into memory."""
MEMORY_MAX = 512 * 1024 * 1024
"""The maximum memory of a command without a remote, in bytes. Mapped packs are not included. Some commands collect
their whole output in memory."""
REMOTE_MEMORY_MAX = 192 * 1024 * 1024
"""The maximum memory of each process of a command whose remote is on another machine, in bytes.

Git keeps every branch and commit that a remote offers in memory. If the remote is on this machine, the limit does not
apply, because the command also starts the processes that serve the remote. Their memory is proportional to the size of
the repository.
"""
STOPS_WITHIN_S = 8.0
"""How long a command may continue to run once reconcile is about to exit, in seconds."""
_STEP_S = 0.1
_WITH_A_REMOTE = frozenset({"ls-remote", "fetch", "push"})
_NOT_FOUND = 1
"""Git's exit code for an object or setting that does not exist."""
_OBJECT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")


class GitError(Exception):
    """A Git command failed, or a repository cannot be used. The message says why.

    `code` is Git's exit code, or a negative number if a signal ended Git. For a damaged object that reconcile finds, it
    is 128, as in Git. None means that Git was not started, that reconcile terminated it, or that reconcile found
    another error.
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
        git_dir: the repository's directory, or the private directory of a linked working tree.
        work_tree: the working tree, or None if the repository is bare.
        common_dir: the directory that contains the branches and objects. None if no command reads a repository.
        settings: the text of the configuration file that Git reads instead of the configuration file in `common_dir`.
        attributes: the text of an attributes file, which takes precedence over those in commits.
        access: the credentials of the remote. None means that Git finds them.
        is_stopping: returns whether reconcile is about to exit. A command then gets less time (`STOPS_WITHIN_S`).
        scratch: the directory for temporary files. None means the system's default.
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
        """The working directory of commands: the top of the working tree, or the bare repository."""
        return self.work_tree or self.git_dir

    def run(
        self,
        verb: str,
        *arguments: str,
        data: bytes = b"",
        more: Mapping[str, str] = MappingProxyType({}),
        file_max: int | None = None,
        output_max: int = OUTPUT_MAX,
    ) -> bytes:
        """Run a command, and return its output.

        Args:
            verb: the command, such as `fetch`.
            arguments: the arguments of the command.
            data: the bytes for its standard input.
            more: additional environment variables.
            file_max: the largest file that the command may write, in bytes; None for no limit. Applies on Linux only.
            output_max: the maximum size of the output, in bytes. It is checked about ten times a second.

        Raises `GitError` if the command cannot be started, fails, takes more than `TIMEOUT_S` seconds, or exceeds
        `output_max`. While reconcile is about to exit, the time limit is `STOPS_WITHIN_S`.
        """
        where = [f"--git-dir={self.git_dir}", *([f"--work-tree={self.work_tree}"] if self.work_tree else [])]
        settings = OUR_SETTINGS if self.work_tree is None else (*OUR_SETTINGS, *NO_HOUSEKEEPING)
        flags = [flag for setting in settings for flag in ("-c", setting)]
        command = ["git", "-C", str(self.directory), *where, *flags, verb, *arguments]
        with ExitStack() as stack:
            process = self._start(command, verb, data, more, stack)
            limits = self._limits(verb, file_max)
            try:
                out, errors = self._finish(process, verb, output_max, limits)
                _check_length(verb, (out, errors), output_max)
            except subprocess.TimeoutExpired:
                terminate(process)
                raise GitError(self._why_terminated(verb)) from None
            except BaseException:
                terminate(process)
                raise
        if process.returncode != 0:
            complaint = message_of(verb, errors)
            raise GitError(self.access.redact(complaint) if self.access else complaint, process.returncode)
        return out

    def text(
        self, verb: str, *arguments: str, data: bytes = b"", more: Mapping[str, str] = MappingProxyType({})
    ) -> str:
        """Run a command, and return its output as text without trailing line breaks. Raises `GitError` if it fails."""
        return self.run(verb, *arguments, data=data, more=more).decode("utf-8", "replace").rstrip("\n")

    def find(self, verb: str, *arguments: str) -> str | None:
        """Return a command's output as text, or None if Git exits with 1 (not found).

        Raises `GitError` if the command fails in another way.
        """
        try:
            return self.text(verb, *arguments)
        except GitError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def read_blobs(self, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of blobs, which are all read by one command. Raises the errors of `read_objects`."""
        return self.read_objects("blob", names)

    def read_objects(self, kind: str, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the contents of objects of one kind, such as `commit`, which are all read by one command.

        Raises `GitError` if a name is not a full object id, if an object is missing or of another kind, or if Git
        fails.
        """
        answer = self.run("cat-file", "--batch", data=_lines(names), output_max=FETCH_MAX)
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
        """Return the size of each object, in bytes. Missing objects are omitted.

        Raises `GitError` if a name is not a full object id, or if Git fails.
        """
        output = self.text("cat-file", "--batch-check=%(objectname) %(objectsize)", data=_lines(names))
        found = (line.split() for line in output.splitlines())
        return {name: int(size) for name, size in found if size.isdecimal()}

    def _start(
        self, command: Sequence[str], verb: str, data: bytes, more: Mapping[str, str], stack: ExitStack
    ) -> subprocess.Popen[bytes]:
        """Start a command. Its temporary files exist until the stack is closed.

        Raises `GitError` if the command cannot be started.
        """
        try:
            stdin, common = self._stdin(data, stack), self._stand_in(stack)
            # A new session has no terminal for prompts, and its whole process group can be terminated.
            return subprocess.Popen(  # noqa: S603  a list, no shell, and every path comes after `--`
                command,
                stdin=stdin,
                stdout=PIPE,
                stderr=PIPE,
                env={**self._environment(verb), **common, **more},
                start_new_session=True,
            )
        except FileNotFoundError as error:
            msg = "git is not on the PATH: install Git" if error.filename == command[0] else f"git {verb}: {error}"
            raise GitError(msg) from None
        except OSError as error:
            msg = f"git {verb} cannot be started: {error.strerror or error}"
            raise GitError(msg) from None

    def _stdin(self, data: bytes, stack: ExitStack) -> int | IO[bytes]:
        """Return the input of a command as an unnamed file. Raises `OSError` if the file cannot be written.

        A pipe would have to be filled while Git runs. After a timeout, `communicate` does not continue to write the
        input. Git would then wait for the rest of its input, and this process would wait for Git.
        """
        if not data:
            return DEVNULL
        file = stack.enter_context(tempfile.TemporaryFile(dir=self.scratch))  # noqa: SIM115  the stack closes it
        file.write(data)
        file.seek(0)
        return file

    def _stand_in(self, stack: ExitStack) -> Mapping[str, str]:
        """Return the environment variables that make Git use the given settings. Raises `OSError` if the disk fails.

        If a command changes the configuration, the change is discarded with the stand-in. That is intended: a fetch
        with a filter records in the configuration that the remote will always provide the omitted objects. A later push
        would then omit the files of other writers' commits, and the next fetch would assume that they are present.
        """
        if self.common_dir is None:
            return {}
        made = stand_in(self.common_dir, self.settings, self.attributes, self.scratch)
        return {"GIT_COMMON_DIR": str(stack.enter_context(made))}

    def _why_terminated(self, verb: str) -> str:
        if self.is_stopping():
            return f"git {verb} was terminated, because reconcile is about to exit"
        what = "the connection to the remote" if verb in _WITH_A_REMOTE else "the disk of the repository"
        return f"git {verb} took more than {TIMEOUT_S:.0f} s and was terminated: check {what}"

    def _limits(self, verb: str, file_max: int | None) -> dict[int, int]:
        limits = {} if file_max is None else {resource.RLIMIT_FSIZE: file_max}
        if verb not in _WITH_A_REMOTE:
            limits[resource.RLIMIT_DATA] = MEMORY_MAX
        elif is_elsewhere(self.settings):
            limits[resource.RLIMIT_DATA] = REMOTE_MEMORY_MAX
        return limits

    def _finish(
        self, process: subprocess.Popen[bytes], verb: str, output_max: int, limits: Mapping[int, int]
    ) -> tuple[bytes, bytes]:
        """Return the standard output and standard error of a command, once it has ended.

        Raises `TimeoutExpired` if the command takes too long, and `GitError` if it prints too much.
        """
        left: float = TIMEOUT_S
        while True:
            # Repeated at each step, because the previous step may have missed a process that was just being started.
            limit_resources(process.pid, limits)
            try:
                return process.communicate(timeout=_STEP_S)
            except subprocess.TimeoutExpired as so_far:
                _check_length(verb, (so_far.output, so_far.stderr), output_max)
                left = min(left - _STEP_S, STOPS_WITHIN_S if self.is_stopping() else TIMEOUT_S)
                if left <= 0:
                    raise

    def _environment(self, verb: str) -> Mapping[str, str]:
        ours = environment(os.environ, has_remote=verb in _WITH_A_REMOTE)
        try:
            opening = self.access.environment(int(ours.get("GIT_CONFIG_COUNT") or 0)) if self.access else {}
        except (OSError, ValueError) as error:
            # The path is not shown, because it may be the token itself, given by mistake.
            why = error.strerror if isinstance(error, OSError) else error
            msg = f"the file of --git-token-file, with the token for the remote, cannot be read: {why}"
            raise GitError(msg) from None
        return {**ours, **opening}


def _check_length(verb: str, outputs: tuple[bytes | None, bytes | None], maximum: int) -> None:
    if any(len(each or b"") > maximum for each in outputs):
        msg = f"git {verb} prints more than {maximum // 1024**2} MiB: keep the specs in a smaller repository"
        raise GitError(msg) from None


def _lines(names: Sequence[str]) -> bytes:
    """Return object names as the input of a command. Raises `GitError` if a text is not an object name."""
    for name in names:
        if _OBJECT.fullmatch(name) is None:
            msg = f"{name[:80]!r} is not an object id"
            raise GitError(msg)
    return "".join(f"{name}\n" for name in names).encode("ascii")
