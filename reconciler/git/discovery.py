"""Find the repository that contains a directory, without Git's own discovery.

Rules: the directory and everything below it are data that spec authors wrote. Therefore Git never uses a repository in
the directory, and never searches for a repository itself. The repository is the nearest `.git` in a parent directory.
`.git` is either a directory, or a file with the path of a directory, as in linked working trees and submodules. The
repository must belong to this user, or the operator's Git configuration must list it in `safe.directory`. Git checks
that only during its own discovery, so this module checks it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable
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
    """The directory that contains the branches and objects. A linked working tree uses that of its main repository."""
    is_partial: bool
    """Whether the clone omits objects (`--filter`), which Git would fetch on demand."""


def find_repository(
    inside: Path, *, scratch: Path | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> Repository | None:
    """Return the repository whose working tree contains a directory, or None if there is none.

    Args:
        inside: the directory. Only its parents are searched for a `.git`.
        scratch: the directory for Git's temporary files. None means the system's default.
        is_stopping: returns whether reconcile is about to exit.

    Raises `GitError` if the repository cannot be used.
    """
    here = inside.resolve()
    found = next(((top, git_dir) for top in here.parents if (git_dir := _git_dir(top)) is not None), None)
    if found is None:
        return None
    top, git_dir = found
    common_dir = _common_dir(git_dir)
    if any(each.resolve().is_relative_to(here) for each in (git_dir, common_dir)):
        msg = f"{top / '.git'} points into {inside}, which spec authors can change: move the repository elsewhere"
        raise GitError(msg)
    _check_owner(top, git_dir, scratch)
    try:
        listed = _configuration(Git(git_dir, top, scratch=scratch), common_dir)
        settings = allowed_settings(listed)
    except UnknownExtensionError as error:
        raise GitError(str(error)) from None
    git = Git(git_dir, top, common_dir, settings, is_stopping=is_stopping, scratch=scratch)
    return Repository(git, common_dir, is_partial=is_set(listed, ".promisor"))


def checkout_among(directories: Iterable[Path]) -> Path | None:
    """Return the first of these directories that contains a `.git` of any type, or None if none of them does."""
    return next((each for each in directories if os.path.lexists(each / ".git")), None)


def checkout_left_by(directory: Path) -> Path | None:
    """Return the checkout in which a path begins, if a symbolic link leads the path out of it. Otherwise return None.

    A spec author may have committed such a link.
    """
    named = Path(os.path.abspath(directory))  # noqa: PTH100  `Path.absolute` would keep `..`
    top = checkout_among(named.parents)
    return None if top is None or named.resolve().is_relative_to(top.resolve()) else top


def nearest_above(directory: Path, name: str) -> Path | None:
    """Return the directory with this name in the nearest parent of a directory, or None if there is none.

    The search ends at the top of the checkout that contains the directory. Outside a checkout there is no search,
    because the parents may belong to others.
    """
    here = directory.absolute()
    top = checkout_among((here, *here.parents))
    parents = [] if top is None else [each for each in here.parents if each.is_relative_to(top)]
    return next((each / name for each in parents if (each / name).is_dir()), None)


def _configuration(git: Git, common_dir: Path) -> str:
    """Return the settings of a repository, including those of included files, in the format of `git config --list -z`.

    Raises `GitError` if Git fails.
    """
    listing = ("--includes", "--list", "-z")
    listed = git.find("config", "--file", str(common_dir / "config"), *listing) or ""
    if is_set(listed, "extensions.worktreeconfig"):
        listed += git.find("config", "--file", str(git.git_dir / "config.worktree"), *listing) or ""
    return listed


def is_tracked(directory: Path) -> bool:
    """Return whether a Git repository tracks files in a directory. If the repository cannot be used, return False."""
    try:
        repository = find_repository(directory)
        return repository is not None and bool(repository.git.find("ls-files", "-z", "--", str(directory)))
    except GitError:
        return False


def _git_dir(top: Path) -> Path | None:
    """Return the Git directory of `top`: its `.git`, or the directory that a `.git` file points to, or None.

    Raises `GitError` if `.git` is neither a directory nor such a file, or cannot be read.
    """
    entry = top / ".git"
    try:
        mode = entry.stat().st_mode
    except (FileNotFoundError, PermissionError):
        return None
    except OSError as error:
        raise _unreadable(entry, error) from None
    if stat.S_ISDIR(mode):
        # As in Git, the search continues above a `.git` that is not a repository, but not above an unreadable `.git`.
        return entry if _is_repository(entry) or not os.access(entry, os.X_OK) else None
    target = _pointer(entry) if stat.S_ISREG(mode) else None
    if (
        target is None
        or not target.startswith(_POINTER)
        or "\0" in target
        or not _is_repository(named := top / target.removeprefix(_POINTER))
    ):
        msg = f"{entry} is neither a repository nor a file that names one: restore it, or remove it"
        raise GitError(msg)
    return named


def _is_repository(git_dir: Path) -> bool:
    common_dir = _common_dir(git_dir)
    return exists(git_dir / "HEAD") and all(exists(common_dir / name) for name in _LAYOUT)


def exists(path: Path) -> bool:
    """Return whether a path exists and is visible to this user. Raises `GitError` if the disk fails."""
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
    """Return the path in a small Git file, or None if the file is missing or this user may not read it.

    Raises `GitError` if the disk fails.
    """
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
    """Raise `GitError` if another user owns the repository and the operator's `safe.directory` does not list it.

    For root, the user who called `sudo` is not another user.
    """
    owners = {os.geteuid()}
    if os.geteuid() == 0 and (behind := os.environ.get("SUDO_UID", "")).isdecimal():
        owners.add(int(behind))
    try:
        found = {each.lstat().st_uid for each in (top, top / ".git")} | {git_dir.stat().st_uid}
    except OSError as error:
        raise _unreadable(git_dir, error) from None
    if found <= owners or _is_safe(top, scratch):
        return
    # Without a home directory, this user cannot have a global Git configuration.
    scope = "--global" if os.environ.get("HOME") or os.environ.get("XDG_CONFIG_HOME") else "--system"
    msg = f"another user owns the repository; if you trust it, run git config {scope} --add safe.directory {top}"
    raise GitError(msg)


def _is_safe(top: Path, scratch: Path | None) -> bool:
    """Return whether `safe.directory` in the operator's Git configuration includes a directory."""
    nowhere = Git(Path(os.devnull), Path("/"), scratch=scratch)
    listed = nowhere.find("config", "--get-all", "--type=path", "-z", "safe.directory") or ""
    is_safe = False
    for each in listed.split("\0")[:-1]:
        is_below = each.endswith("/*") and str(top).startswith(each.removesuffix("*"))
        # An empty value resets the list.
        is_safe = bool(each) and (is_safe or each == "*" or is_below or os.path.realpath(each) == str(top))
    return is_safe
