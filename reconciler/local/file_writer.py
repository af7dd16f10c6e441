"""The one way in which a file of ours is written.

Rules: the bytes first stand beside the file, under a name that nobody can guess and that nothing had, and then take
its place in one step: a reader finds the old file or the new one, and a link that was planted is not written through;
a link in the place of a file is never followed; what goes wrong is told with the path that the user knows. Devices and
pipes are written to as they are. What is named below `/dev` and `/proc` is the kernel's, so `/dev/stdout` works, and a
log file may be a link to it, as containers have it.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from reconciler.redaction import KNOWN_SECRETS

_TEMPORARY = re.compile(r"\.reconcile-[0-9a-f]{16}\.tmp")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KERNELS = ("/dev/", "/proc/")
_STREAMS = frozenset({"/dev/stdout", "/dev/stderr", "/dev/null", "/dev/full"})
STALE_AFTER_NS = 3600 * 10**9
"""A temporary file that is this much older than one of now belongs to a process that was killed."""


def is_temporary(name: str) -> bool:
    """Whether a file has a name that only `write_beside` gives."""
    return _TEMPORARY.fullmatch(name) is not None


def write_beside(target: Path, data: bytes, mode: int = 0o666, *, directory: Path | None = None) -> Path:
    """Return a new file with these bytes, in the directory where the target stands or will. Raises OSError.

    Args:
        target: the file that is to be replaced; errors name it.
        data: the bytes.
        mode: the permissions, of which the umask takes its part.
        directory: the target's directory where its links are resolved; None takes it as it is written.
    """
    fresh = (directory or target.parent) / f".reconcile-{secrets.token_hex(8)}.tmp"
    with told_of(target):
        descriptor = os.open(fresh, _NEW, mode)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
    return fresh


def replace_file(path: Path, data: bytes, *, is_durable: bool = False) -> None:
    """Create a file or replace its bytes, in one step; its mode stays. Raises OSError with this path."""
    if _is_stream(path):
        with told_of(path), os.fdopen(open_to_append(path), "wb") as stream:
            stream.write(data)
        return
    with told_of(path):
        before = _facts(path)
    fresh = write_beside(path, data)
    try:
        with told_of(path):
            if before is not None:
                fresh.chmod(stat.S_IMODE(before.st_mode) & 0o777)
            if is_durable:
                sync(fresh, os.O_NOFOLLOW)
            _remove_stale(fresh)
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def create_file(path: Path, data: bytes) -> None:
    """Write a file that is not there yet. Raises OSError, FileExistsError too, with this path."""
    with told_of(path), os.fdopen(os.open(path, _NEW, 0o666), "wb") as file:
        file.write(data)


def open_to_append(path: Path, mode: int = 0o666, flags: int = 0) -> int:
    """Return a descriptor that appends to a file, which is created if it is not there. Raises OSError."""
    usual = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
    with told_of(path):
        return os.open(path, usual | flags | (0 if _is_kernels(path) else os.O_CREAT | os.O_NOFOLLOW), mode)


def append_text(path: Path, text: str) -> None:
    """Append to a file that a runner shows, without any known secret. Raises OSError."""
    with os.fdopen(open_to_append(path), "w", encoding="utf-8", newline="\n") as file:
        file.write(KNOWN_SECRETS.redact(text))


def sync(path: Path, flag: int) -> None:
    """Make a file's bytes, or a directory's entries, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | flag)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_kernels(path: Path) -> bool:
    return str(path).startswith(_KERNELS) or (path.is_symlink() and str(path.readlink()) in _STREAMS)


def _is_stream(path: Path) -> bool:
    if _is_kernels(path):
        return True
    with suppress(OSError):
        return not stat.S_ISREG(mode := path.lstat().st_mode) and (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode))
    return False


def _facts(path: Path) -> os.stat_result | None:
    """Return what stands in a file's place, or None. Raises OSError for what must not be replaced."""
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(facts.st_mode):
        raise OSError(errno.ELOOP, LINK, str(path))
    return facts


LINK = "this is a link, and nothing is written through one: name the file or directory itself"


def _remove_stale(fresh: Path) -> None:
    """Remove what killed processes left beside a file that was written just now, and whose time is therefore now."""
    now = fresh.stat().st_mtime_ns
    with suppress(OSError), os.scandir(fresh.parent) as entries:
        for entry in entries:
            if is_temporary(entry.name) and now - entry.stat(follow_symlinks=False).st_mtime_ns > STALE_AFTER_NS:
                Path(entry.path).unlink()


@contextmanager
def told_of(path: Path) -> Iterator[None]:
    """Let an error name the file that the user knows, not a temporary one, and say of a link that it is one."""
    try:
        yield
    except OSError as error:
        why = LINK if error.errno in {errno.ELOOP, errno.EMLINK} else error.strerror
        raise OSError(error.errno, why, str(path)) from None
