"""Find the repository of a directory without Git.

Rules: files in the directory or below it are data of an author of specs. Therefore Git is never pointed at them and
never discovers a repository itself. The repository is the nearest `.git` above: a directory, or a file that names one,
as linked working trees and submodules have. It must belong to this user, or be one that the operator calls safe
(`safe.directory` in git-config). Git checks that only during its own discovery, so it is checked here.
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
    """The directory of its branches: the repository's own, or the main one of a linked working tree."""
    is_partial: bool
    """Whether the clone left objects out, to be fetched on demand."""


def find_repository(
    inside: Path, *, scratch: Path | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> Repository | None:
    """Return the repository whose working tree includes a directory, or None.

    Args:
        inside: the directory. It is not searched itself.
        scratch: the directory for Git's temporary files. None is the system's.
        is_stopping: whether the program is about to end.

    Raises `GitError`, which says what to do, if the repository cannot be used.
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


def checkout_left_by(directory: Path) -> Path | None:
    """Return the checkout whose path to a directory leaves it through a link, or None. Such a link may be committed."""
    named = Path(os.path.abspath(directory))  # noqa: PTH100  `Path.absolute` would keep `..`
    top = next((each for each in named.parents if os.path.lexists(each / ".git")), None)
    return None if top is None or named.resolve().is_relative_to(top.resolve()) else top


def _configuration(git: Git, common_dir: Path) -> str:
    """Return the settings of a repository, including those of included files. Raises `GitError`."""
    listing = ("--includes", "--list", "-z")
    listed = git.find("config", "--file", str(common_dir / "config"), *listing) or ""
    if is_set(listed, "extensions.worktreeconfig"):
        listed += git.find("config", "--file", str(git.git_dir / "config.worktree"), *listing) or ""
    return listed


def is_tracked(directory: Path) -> bool:
    """Whether a repository tracks files in a directory. An unusable repository tracks none."""
    try:
        repository = find_repository(directory)
        return repository is not None and bool(repository.git.find("ls-files", "-z", "--", str(directory)))
    except GitError:
        return False


def _git_dir(top: Path) -> Path | None:
    """Return the repository of the `.git` in a directory, or None if there is none. Raises `GitError`."""
    entry = top / ".git"
    try:
        mode = entry.stat().st_mode
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        raise _unreadable(entry, error) from None
    if stat.S_ISDIR(mode):
        # As Git does, continue above an empty one, but not above one that we may not read.
        return entry if _is_repository(entry) or not os.access(entry, os.X_OK) else None
    target = _pointer(entry) if stat.S_ISREG(mode) else None
    if (
        target is None
        or not target.startswith(_POINTER)
        or "\0" in target
        or not _is_repository(named := top / target.removeprefix(_POINTER))
    ):
        msg = f"{entry} is neither a repository nor names one"
        raise GitError(msg)
    return named


def _is_repository(git_dir: Path) -> bool:
    common_dir = _common_dir(git_dir)
    return exists(git_dir / "HEAD") and all(exists(common_dir / name) for name in _LAYOUT)


def exists(path: Path) -> bool:
    """Whether a path exists, as far as this user may see. Raises `GitError` for an error of the disk."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return False
    except OSError as error:
        raise _unreadable(path, error) from None
    return True


def _common_dir(git_dir: Path) -> Path:
    target = _pointer(git_dir / "commondir")
    return git_dir if target is None else git_dir / target


def _pointer(file: Path) -> str | None:
    """Return the line of a small Git file that names a path, or None if there is no such file."""
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
    """Raise `GitError` if another user owns the repository and the operator does not call it safe."""
    owners = {os.geteuid()}
    if os.geteuid() == 0 and (behind := os.environ.get("SUDO_UID", "")).isdecimal():
        owners.add(int(behind))
    try:
        found = {each.lstat().st_uid for each in (top, top / ".git")} | {git_dir.stat().st_uid}
    except OSError as error:
        raise _unreadable(git_dir, error) from None
    if found <= owners or _is_safe(top, scratch):
        return
    # Without a home there is no configuration of this user.
    scope = "--global" if os.environ.get("HOME") or os.environ.get("XDG_CONFIG_HOME") else "--system"
    msg = f"another user owns it; if it may be trusted: git config {scope} --add safe.directory {top}"
    raise GitError(msg)


def _is_safe(top: Path, scratch: Path | None) -> bool:
    """Whether the operator's configuration calls a directory safe."""
    nowhere = Git(Path(os.devnull), Path("/"), scratch=scratch)
    listed = nowhere.find("config", "--get-all", "--type=path", "-z", "safe.directory") or ""
    is_safe = False
    for each in listed.split("\0")[:-1]:
        is_below = each.endswith("/*") and str(top).startswith(each.removesuffix("*"))
        # An empty value resets the list.
        is_safe = bool(each) and (is_safe or each == "*" or is_below or os.path.realpath(each) == str(top))
    return is_safe
