"""Create, replace and append to files safely.

Rules: to replace a file, the bytes are first written to a new file beside it, which then takes its place in one step. A
reader sees either the old file or the new one. The name of the new file is unpredictable, so that an attacker cannot
create a link there first. If the target is a link, it is refused. Errors name the path that the caller passed.

Devices and pipes are written to directly. Paths below `/dev` and `/proc` belong to the kernel, so links are followed
there. Therefore `/dev/stdout` works, and a log file may be a link to it, as in containers.
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
"""The age above which a temporary file is removed, in nanoseconds. A killed process leaves such a file behind."""


def is_temporary(name: str) -> bool:
    """Return whether a name has the form that `write_beside` uses for temporary files."""
    return _TEMPORARY.fullmatch(name) is not None


def write_beside(target: Path, data: bytes) -> Path:
    """Write bytes to a new file in the directory of the target, and return the path of the new file.

    Raises an `OSError` that names `target` if the file cannot be written.

    Args:
        target: the file that the caller will replace with the new file.
        data: the bytes.
    """
    fresh = target.parent / new_name()
    with errors_naming(target):
        write_new(str(fresh), data, 0o666)
    return fresh


def new_name() -> str:
    """Return an unpredictable name for a temporary file."""
    return f".reconcile-{secrets.token_hex(8)}.tmp"


def write_new(fresh: str, data: bytes, mode: int) -> None:
    """Create a file that must not exist, and write bytes to it. If that fails, remove it and raise `OSError`.

    `mode` is its permissions before the umask is applied.
    """
    descriptor = os.open(fresh, _NEW, mode)
    try:
        try:
            left = memoryview(data)
            while left:
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)  # a network file system may report a write error only here
    except BaseException:
        Path(fresh).unlink(missing_ok=True)
        raise


def replace_file(path: Path, data: bytes, *, is_durable: bool = False) -> None:
    """Create a file, or replace it in one step and keep its permissions. To a device or a pipe, write directly.

    With `is_durable`, return only after the bytes are on the disk; for a device or a pipe it has no effect. Raises an
    `OSError` that names `path` if the file cannot be written, or if it is a link that is not followed.
    """
    if _is_stream(path):
        with errors_naming(path), os.fdopen(open_to_append(path), "wb") as stream:
            stream.write(data)
        return
    with errors_naming(path):
        before = _replaceable(path)
    fresh = write_beside(path, data)
    try:
        with errors_naming(path):
            if before is not None:
                fresh.chmod(stat.S_IMODE(before.st_mode) & 0o777)
            if is_durable:
                sync(fresh, os.O_NOFOLLOW)
            _remove_stale(fresh)
            fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def create_file(path: Path, data: bytes) -> None:
    """Create a file. Raises `FileExistsError` if it exists, and another `OSError` if it cannot be written.

    The error names `path`.
    """
    with errors_naming(path), os.fdopen(os.open(path, _NEW, 0o666), "wb") as file:
        file.write(data)


def open_to_append(path: Path, mode: int = 0o666, flags: int = 0) -> int:
    """Open a file for appending, and return its descriptor. A missing file is created, except below `/dev` and `/proc`.

    Raises an `OSError` that names `path` if it cannot be opened, or if it is a link that is not followed.

    Args:
        path: the file.
        mode: the permissions of a new file before the umask is applied.
        flags: further flags for `os.open`.
    """
    appending = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC
    with errors_naming(path):
        return os.open(path, appending | flags | (0 if _is_kernel_path(path) else os.O_CREAT | os.O_NOFOLLOW), mode)


def append_text(path: Path, text: str) -> None:
    """Append text to a file, with known secrets redacted. Raises `OSError` if it cannot be written."""
    with os.fdopen(open_to_append(path), "w", encoding="utf-8", newline="\n") as file:
        file.write(KNOWN_SECRETS.redact(text))


def sync(path: Path, flag: int) -> None:
    """Make a file's bytes, or a directory's entries, durable. Raises `OSError` if that fails.

    `flag` is a further flag for `os.open`, such as `O_DIRECTORY`.
    """
    descriptor = os.open(path, os.O_RDONLY | flag)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_kernel_path(path: Path) -> bool:
    return str(path).startswith(_KERNELS) or (path.is_symlink() and str(path.readlink()) in _STREAMS)


def _is_stream(path: Path) -> bool:
    if _is_kernel_path(path):
        return True
    with suppress(OSError):
        return not stat.S_ISREG(mode := path.lstat().st_mode) and (stat.S_ISCHR(mode) or stat.S_ISFIFO(mode))
    return False


def _replaceable(path: Path) -> os.stat_result | None:
    """Return the result of `lstat` for a file to replace, or None if it does not exist.

    Raises `OSError` if the file is a link or cannot be examined.
    """
    try:
        facts = path.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(facts.st_mode):
        raise OSError(errno.ELOOP, LINK_REFUSED, str(path))
    return facts


LINK_REFUSED = "this is a link, and reconcile does not follow links here: name the file or directory itself"


def _remove_stale(fresh: Path) -> None:
    """Remove the temporary files that killed processes left in the directory of a new file.

    The time of the new file serves as the current time.
    """
    now = fresh.stat().st_mtime_ns
    with suppress(OSError), os.scandir(fresh.parent) as entries:
        for entry in entries:
            if is_temporary(entry.name) and now - entry.stat(follow_symlinks=False).st_mtime_ns > STALE_AFTER_NS:
                Path(entry.path).unlink()


@contextmanager
def errors_naming(path: Path) -> Iterator[None]:
    """Replace each `OSError` of the body by an `OSError` that names `path`, and has a message if a link was refused."""
    try:
        yield
    except OSError as error:
        raise naming(error, path) from None


def naming(error: OSError, path: Path) -> OSError:
    """Return an error like this one that names `path`, with a message for a link that was not followed."""
    why = LINK_REFUSED if error.errno in {errno.ELOOP, errno.EMLINK} else error.strerror
    return OSError(error.errno, why, str(path))
