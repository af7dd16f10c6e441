"""Check whether other users can write to a file of the operator. Such a file is not trusted.

The files of the operator are the operator's file (`--config`) and the trust files (`--trust`).

Rules: root can write to every file and is ignored. A group is ignored if this user is its only member according to this
machine's user database (user private groups; a volume's `fsGroup`). A file on a read-only mount is not writable.
"""

from __future__ import annotations

import errno
import grp
import os
import pwd
import stat
from itertools import chain
from pathlib import Path

_ROOT = 0


class MisplacedFileError(Exception):
    """A file of the operator cannot be trusted or is not a regular file. The message says why, and what to do."""


def check_place(file: Path, *closed: Path) -> None:
    """Raise `MisplacedFileError` if spec authors or other users can write to a file of the operator or replace it.

    Args:
        file: the file.
        closed: the directories that spec authors can write to: the specs and the statuses.

    Raises `OSError` if the file does not exist, if links form a loop, or if the file or a parent directory cannot be
    examined.
    """
    real, named = _resolved(file, strict=True), file.absolute()
    for each in closed:
        if any(path.is_relative_to(_resolved(each)) for path in (real, named, _resolved(file.parent))):
            msg = f"{file} is below {each}, which spec authors can change: move it outside the specs and the statuses"
            raise MisplacedFileError(msg)
    facts = real.stat()
    if not stat.S_ISREG(facts.st_mode):
        msg = f"{file} is not a regular file: pass the path of a regular file"
        raise MisplacedFileError(msg)
    # A user who can write to a directory can replace the files and directories in it.
    above = {each for each in chain(real.parents, named.parents) if _is_open(each, each.stat())}
    if facts.st_uid not in {os.geteuid(), _ROOT}:
        msg = f"{file} is writable by other users, because it belongs to user {facts.st_uid}: run chown on it"
        raise MisplacedFileError(msg)
    if above:
        msg = f"{file} can be replaced, because {max(above)} is writable by other users: run chmod go-w {max(above)}"
        raise MisplacedFileError(msg)
    if _is_open(real, facts):
        msg = f"{file} is writable by other users: run chmod go-w {file}"
        raise MisplacedFileError(msg)


def _resolved(path: Path, *, strict: bool = False) -> Path:
    try:
        return path.resolve(strict=strict)
    except RuntimeError:  # how pathlib reports a loop before Python 3.13
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), str(path)) from None


def _is_open(path: Path, facts: os.stat_result) -> bool:
    """Return whether others can write to a file, or replace the entries of a directory."""
    if stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX:
        return False
    by_others = facts.st_mode & stat.S_IWOTH
    by_group = facts.st_mode & stat.S_IWGRP and facts.st_gid != _ROOT and not is_alone_in(facts.st_gid)
    return bool(by_others or by_group) and not os.statvfs(path).f_flag & os.ST_RDONLY


def is_alone_in(gid: int) -> bool:
    """Return whether a group of this process has no members but this user and root, in this machine's user database."""
    if gid not in {os.getegid(), *os.getgroups()}:
        return False
    try:
        us = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        us = ""
    try:
        members = set(grp.getgrgid(gid).gr_mem)
    except KeyError:
        members = set()
    members |= {each.pw_name for each in pwd.getpwall() if each.pw_gid == gid and each.pw_uid != _ROOT}
    return members <= {us, "root"}
