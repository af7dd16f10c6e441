"""The state directory: the lock, the journal, caches, and the state of embedded sandboxes.

By default, each specs directory has a state directory of its own.

Rules: the directory must not be inside the specs directory, and Git must not track files in it. Requests depend on its
content, so it is trusted only if no other user except root can have written to it. As with `~/.ssh`, a directory that
others can write to is refused and not repaired, because they may already have changed its content. A group is ignored
if this user is its only member (user private groups; a volume's `fsGroup`).
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from platformdirs import user_cache_path

from reconciler.local.ownership import is_alone_in

APPLICATION = "reconcile"
_ANOTHER = "name another directory with --state-dir"
_ROOT = 0


class StateDirRefusedError(Exception):
    """A directory cannot be used as a state directory. The message says why, and what to do."""


class StateDirUnsafeError(Exception):
    """Other users may have written to the state directory, or there is no safe default. The message says what to do."""


def default_state_dir(specs: Path, environ: Mapping[str, str]) -> Path:
    """Return the default state directory for a specs directory: below `XDG_CACHE_HOME`, or else the user's cache.

    Raises `StateDirUnsafeError` if `XDG_CACHE_HOME` is not an absolute path and this user has no home directory.
    """
    home = Path(environ.get("XDG_CACHE_HOME", ""))
    cache = Path(APPLICATION)
    # The XDG specification says that a relative path must be ignored. In a container, the user may have no entry in the
    # user database.
    with suppress(RuntimeError):
        cache = home / APPLICATION if home.is_absolute() else user_cache_path(APPLICATION, appauthor=False)
    if not cache.is_absolute():
        msg = "this user has no home directory for the state directory: set HOME or XDG_CACHE_HOME, or use --state-dir"
        raise StateDirUnsafeError(msg)
    return cache / hashlib.sha256(os.fsencode(specs.resolve())).hexdigest()[:16]


def prepare_state_dir(path: Path, specs: Path, *, is_tracked: Callable[[Path], bool]) -> Path:
    """Create a state directory that only this user can write to, or check an existing directory; return its real path.

    `is_tracked` returns whether Git tracks files in a directory. Raises `StateDirRefusedError` if the path cannot be
    used, `StateDirUnsafeError` if others may have written to it, or `OSError` if it cannot be created or examined.
    """
    state = path.resolve()
    if state.is_relative_to(specs.resolve()):
        msg = f"the state directory {path} is inside the specs directory {specs}: {_ANOTHER}"
        raise StateDirRefusedError(msg)
    if state.exists() and not state.is_dir():
        msg = f"the state directory {path} is not a directory: {_ANOTHER}"
        raise StateDirRefusedError(msg)
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check(state, state.stat(), f"the state directory {path}")
    with os.scandir(state) as entries:
        for entry in entries:
            place = f"{path / entry.name} in the state directory"
            if entry.is_symlink():
                msg = f"{place} is a link: remove it, or {_ANOTHER}"
                raise StateDirUnsafeError(msg)
            _check(state / entry.name, entry.stat(follow_symlinks=False), place)
    if is_tracked(state):
        msg = f"Git tracks files in the state directory {path}, so every committer can change them: {_ANOTHER}"
        raise StateDirUnsafeError(msg)
    return state


def _check(path: Path, facts: os.stat_result, place: str) -> None:
    """Raise `StateDirUnsafeError` if other users can write to a file or directory.

    If only a group can, and this user is its only member, the group's write permission is removed instead.
    """
    if facts.st_uid not in {os.geteuid(), _ROOT}:
        msg = (
            f"{place} belongs to user {facts.st_uid}, and this process to user {os.geteuid()}: remove it, or {_ANOTHER}"
        )
        raise StateDirUnsafeError(msg)
    others = facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if not others:
        return
    if others & stat.S_IWOTH or not is_alone_in(facts.st_gid) or facts.st_uid != os.geteuid():
        msg = (
            f"{place} is writable by other users (mode {stat.S_IMODE(facts.st_mode):04o}), so they may have "
            f"changed its content: empty it and run chmod go-w on it, or {_ANOTHER}, such as a new directory below it"
        )
        raise StateDirUnsafeError(msg)
    path.chmod(stat.S_IMODE(facts.st_mode) & ~stat.S_IWGRP)
