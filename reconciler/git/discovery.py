"""The repository that a directory is part of, found without Git.

Rules: what stands in the directory, or below it, is data of whoever writes there, so Git is never pointed at it and
never discovers anything by itself. The repository is the nearest `.git` above: a directory, or a file that names one,
as linked working trees and submodules have. It must be this user's, or one that the operator calls safe, by Git's own
rule (`safe.directory` in git-config); only Git's discovery checks that, so it is checked here.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.git.command import Git, GitError
from reconciler.git.settings import UnknownExtensionError, allowed_settings, is_set

_POINTER = "gitdir: "
_POINTER_MAX = 4096
_LAYOUT = ("objects", "refs")


@dataclass(frozen=True, slots=True)
class Repository:
    """A repository with a working tree."""

    git: Git
    common_dir: Path
    """Where its branches are: the repository's own directory, or the one that a linked working tree is of."""
    is_partial: bool
    """Whether the clone left objects out, to be fetched later."""


def find_repository(
    inside: Path, *, scratch: Path | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> Repository | None:
    """Return the repository whose working tree a directory is part of, or None where it is in none.

    Args:
        inside: the directory; what stands in it or below is not asked.
        scratch: where Git's temporary files go; None is the system's place for them.
        is_stopping: whether the program is to end.

    Raises `GitError`, with what a person can do, where there is one that cannot be used.
    """
    here = inside.resolve()
    found = next(((top, git_dir) for top in here.parents if (git_dir := _git_dir(top)) is not None), None)
    if found is None:
        return None
    top, git_dir = found
    common_dir = _common_dir(git_dir)
    if any(each.resolve().is_relative_to(here) for each in (git_dir, common_dir)):
        msg = f"{top / '.git'} leads into {inside}"
        raise GitError(msg)
    _check_owner(top, git_dir, scratch)
    try:
        listed = _configuration(Git(git_dir, top, scratch=scratch), common_dir)
        settings = allowed_settings(listed)
    except UnknownExtensionError as error:
        raise GitError(str(error)) from None
    git = Git(git_dir, top, common_dir, settings, is_stopping=is_stopping, scratch=scratch)
    return Repository(git, common_dir, is_partial=is_set(listed, ".promisor"))


def led_out_of(directory: Path) -> Path | None:
    """Return the checkout in which a directory is named, where a link that may be committed leads out of it."""
    named = Path(os.path.abspath(directory))  # noqa: PTH100  `Path.absolute` keeps `..`, and so the way there
    top = next((each for each in named.parents if os.path.lexists(each / ".git")), None)
    return None if top is None or named.resolve().is_relative_to(top.resolve()) else top


def _configuration(git: Git, common_dir: Path) -> str:
    """Return the settings of a repository itself, with those of the files that it includes. Raises `GitError`."""
    listing = ("--includes", "--list", "-z")
    listed = git.find("config", "--file", str(common_dir / "config"), *listing) or ""
    if is_set(listed, "extensions.worktreeconfig"):
        listed += git.find("config", "--file", str(git.git_dir / "config.worktree"), *listing) or ""
    return listed


def is_tracked(directory: Path) -> bool:
    """Return whether a repository tracks files in a directory. One that cannot be used checks nothing out there."""
    try:
        repository = find_repository(directory)
        return repository is not None and bool(repository.git.find("ls-files", "-z", "--", str(directory)))
    except GitError:
        return False


def _git_dir(top: Path) -> Path | None:
    """Return the repository that the `.git` in a directory is or names; None where there is none. Raises `GitError`."""
    entry = top / ".git"
    try:
        mode = entry.stat().st_mode
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        raise _unreadable(entry, error) from None
    if stat.S_ISDIR(mode):
        # As Git does, go on above one that is empty; but not above one that is closed to us.
        return entry if _is_repository(entry) or not os.access(entry, os.X_OK) else None
    told = _pointer(entry) if stat.S_ISREG(mode) else None
    if (
        told is None
        or not told.startswith(_POINTER)
        or "\0" in told
        or not _is_repository(named := top / told.removeprefix(_POINTER))
    ):
        msg = f"{entry} is neither a repository nor names one"
        raise GitError(msg)
    return named


def _is_repository(git_dir: Path) -> bool:
    common_dir = _common_dir(git_dir)
    return is_there(git_dir / "HEAD") and all(is_there(common_dir / name) for name in _LAYOUT)


def is_there(path: Path) -> bool:
    """Return whether there is something, as far as this user may know. Raises `GitError` where the disk cannot tell."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from None
    return True


def _common_dir(git_dir: Path) -> Path:
    told = _pointer(git_dir / "commondir")
    return git_dir if told is None else git_dir / told


def _pointer(file: Path) -> str | None:
    """Return the line in a small file of Git's that names something, or None if there is no such file."""
    try:
        with file.open("rb") as opened:
            return os.fsdecode(opened.read(_POINTER_MAX).rstrip(b"\r\n"))
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        raise _unreadable(file, error) from None


def _unreadable(path: Path, error: OSError) -> GitError:
    return GitError(f"{path} cannot be read: {error.strerror or error}")


def _check_owner(top: Path, git_dir: Path, scratch: Path | None) -> None:
    """Raise `GitError` where somebody else made a repository, unless the operator calls it safe."""
    owners = {os.geteuid()}
    if os.geteuid() == 0 and (behind := os.environ.get("SUDO_UID", "")).isdecimal():
        owners.add(int(behind))
    try:
        found = {each.lstat().st_uid for each in (top, top / ".git")} | {git_dir.stat().st_uid}
    except OSError as error:
        raise _unreadable(git_dir, error) from None
    if found <= owners or _is_safe(top, scratch):
        return
    # Without a home there is no configuration of this user alone.
    scope = "--global" if os.environ.get("HOME") or os.environ.get("XDG_CONFIG_HOME") else "--system"
    msg = f"another user owns it; if it may be trusted: git config {scope} --add safe.directory {top}"
    raise GitError(msg)


def _is_safe(top: Path, scratch: Path | None) -> bool:
    """Return whether the operator's own configuration calls a directory safe."""
    nowhere = Git(Path(os.devnull), Path("/"), scratch=scratch)
    listed = nowhere.find("config", "--get-all", "--type=path", "-z", "safe.directory") or ""
    is_safe = False
    for each in listed.split("\0")[:-1]:
        is_below = each.endswith("/*") and str(top).startswith(each.removesuffix("*"))
        # An empty value takes back what was said before it.
        is_safe = bool(each) and (is_safe or each == "*" or is_below or os.path.realpath(each) == str(top))
    return is_safe
