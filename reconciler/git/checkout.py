"""A Git checkout: its revision and branch, its unfinished operations, its missing parts, and the origin of a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconciler.formats.checkout_conversion import as_committed
from reconciler.formats.lookalikes import SUFFIXES
from reconciler.git.command import Git, GitError
from reconciler.git.commits import is_commit, read_origin
from reconciler.git.discovery import exists, find_repository
from reconciler.git.git_messages import with_relative_paths
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.status import Origin

_UNFINISHED = {
    "MERGE_HEAD": "a merge is in progress",
    "CHERRY_PICK_HEAD": "a cherry-pick is in progress",
    "REVERT_HEAD": "a revert is in progress",
    # Between two commits of a series, only the list of the remaining commits exists.
    "sequencer": "a cherry-pick or revert is in progress",
    "rebase-merge": "a rebase is in progress",
    "rebase-apply/applying": "patches are being applied (git am)",
    "rebase-apply": "a rebase is in progress",
    "BISECT_START": "a bisect is in progress",
    "BISECT_LOG": "a bisect is in progress",
    "index.lock": "a Git command is running in it (if none is running, remove {git_dir}/index.lock)",
}
"""Messages for unfinished operations, by the file in Git's directory that shows them. The first match applies.

`{git_dir}` stands for Git's directory. `git status` checks the same files, except `BISECT_START` and `index.lock`."""
_BRANCHES = "refs/heads/"
_LEFT_OUT = "S "
"""The tag with which `git ls-files -t` marks a file that a sparse checkout leaves out."""
_SUBMODULE = "160000"
"""The mode of a submodule in a tree."""


def find_checkout(
    specs: Path, *, scratch: Path | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> Checkout | None:
    """Return the checkout that contains a directory.

    Return None if the directory does not exist, or if no checkout contains it. The directory must be below the top of
    the checkout: a `.git` in the directory itself is not used.

    Args:
        specs: the specs directory.
        scratch: the directory for Git's temporary files. None means the system's default.
        is_stopping: returns whether reconcile is about to exit.

    Raises `GitError` if the checkout cannot be used.
    """
    found = find_repository(specs, scratch=scratch, is_stopping=is_stopping) if specs.is_dir() else None
    return None if found is None else Checkout(found.git, found.common_dir, is_partial=found.is_partial)


@dataclass(frozen=True, slots=True)
class Checkout:
    """A Git working tree that contains the specs."""

    git: Git
    common_dir: Path
    """The directory that contains the branches and objects. Linked working trees share it."""
    is_partial: bool = False
    """Whether the clone omits some files (`--filter`), so that some changes cannot be read."""

    def revision(self) -> str | None:
        """Return the checked-out commit, or None if the branch has no commit yet. Raises `GitError` if Git fails."""
        # A watch calls this at each change, and reading two small files is faster than starting Git.
        ref = self._head()
        loose = (_read(self.common_dir / ref) if ref else None) or ""
        return loose if is_commit(loose) else self.git.find("rev-parse", "--verify", "--quiet", "HEAD")

    def branch(self) -> str | None:
        """Return the checked-out branch, or None if HEAD is detached, as in CI. Raises `GitError` if Git fails."""
        ref = self._head()
        if ref is not None and ref.startswith(_BRANCHES):
            return ref.removeprefix(_BRANCHES)
        return self.git.find("symbolic-ref", "--short", "--quiet", "HEAD")

    def _head(self) -> str | None:
        """Return the ref that the file `HEAD` names, or None if `HEAD` is detached or contains only a placeholder."""
        text = _read(self.git.git_dir / "HEAD") or ""
        ref = text.removeprefix("ref: ")
        return ref if ref != text and not ref.endswith(".invalid") else None

    def is_shallow(self) -> bool:
        """Return whether the history is incomplete, so that the last commit of a file is unknown. If in doubt, True."""
        try:
            return exists(self.common_dir / "shallow")
        except GitError:
            return True

    def unfinished_operation(self) -> str | None:
        """Return which Git operation is unfinished in this working tree, or None if none is.

        The result is a message. If Git fails, it is Git's error.
        """
        try:
            found = next((what for name, what in _UNFINISHED.items() if exists(self.git.git_dir / name)), None)
            if found is not None or not exists(self.git.git_dir / "AUTO_MERGE"):
                return found and self.relative(found.format(git_dir=self.git.git_dir))
            # `git stash pop` and `git merge --squash` can leave conflicts without creating any of these files.
            # AUTO_MERGE remains after the conflicts are resolved.
            return "it has files with conflicts" if self.git.text("ls-files", "--unmerged") else None
        except GitError as error:
            return self.relative(str(error))

    def relative(self, message: str) -> str:
        """Return a message with paths relative to the repository, because the message may reach a status."""
        return with_relative_paths(message, self.git.directory, self.git.git_dir, self.common_dir)

    def missing_part(self, within: str) -> Diagnostic | None:
        """Return a diagnostic for the first part of a directory that Git has not checked out, or None if there is none.

        `within` is the path of the directory in the tree. Such a part is a spec file that a sparse checkout leaves out,
        or a submodule that is not initialised. Its files must not be mistaken for deleted files. Raises `GitError` if
        Git fails.
        """
        top = self.git.directory
        if not exists(self.git.git_dir / "info" / "sparse-checkout") and not exists(top / ".gitmodules"):
            return None
        listed = self.git.text("ls-files", "-z", "-t", "--stage", "--", within)
        for entry in listed.split("\0")[:-1]:
            facts, _, path = entry.partition("\t")
            if _SUBMODULE in facts.split() and not exists(top / path / ".git"):
                message = f"this submodule is not checked out: run git submodule update --init {path}"
                return Diagnostic(file=path, message=message)
            if facts.startswith(_LEFT_OUT) and path.endswith(SUFFIXES) and not exists(top / path):
                message = f"the file is left out of a sparse checkout: run git sparse-checkout add {within}"
                return Diagnostic(file=path, message=message)
        return None

    def origin(self, path: Path) -> Origin | None:
        """Return the commit that last changed a file, with its author.

        Return None if the file cannot be read or differs from the checked-out commit, if the history is incomplete, or
        if Git fails or the author cannot be read.
        """
        if self.is_shallow():
            return None
        try:
            within = path.resolve().relative_to(self.git.directory).as_posix()
            # `git status` is not used, because it would run filters and wait for the index.
            committed = self.git.run("cat-file", "blob", f"HEAD:{within}")
            is_as_committed = as_committed(path.read_bytes()) == as_committed(committed)
            return read_origin(self.git, "HEAD", within) if is_as_committed else None
        except (GitError, OSError, ValueError):
            return None


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None
