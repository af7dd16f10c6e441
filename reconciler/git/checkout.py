"""The specs directory in a Git checkout: its revision, the last commit of each file, and when it is not acted on.

Rules: the files are read as they are in the working tree, including uncommitted changes. They are not acted on in any
of these cases: a Git command is running; an operation such as a merge or rebase is unfinished; Git leaves out or
re-encodes a part of the specs; two scans differ. A watch acts only on the branch that was checked out when the watch
started. A shallow clone shows neither the last commit of a file nor approvals, because its history is incomplete.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.formats.checkout_conversion import as_committed
from reconciler.formats.lookalikes import SUFFIXES
from reconciler.git.approvals import ReadApprovals
from reconciler.git.command import Git, GitError
from reconciler.git.commits import is_commit, read_origin
from reconciler.git.discovery import exists, find_repository
from reconciler.git.git_messages import with_relative_paths
from reconciler.git.reencoding import find_reencoded
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

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
    "index.lock": "a Git command is running in it (if none is, remove {git_dir}/index.lock)",
}
"""Messages for unfinished operations, by the file in Git's directory that shows them. The first match applies.

`{git_dir}` stands for Git's directory. `git status` checks the same files, except `BISECT_START` and `index.lock`."""
_BRANCHES = "refs/heads/"
_LEFT_OUT = "S "
"""The tag with which `git ls-files -t` marks a file that a sparse checkout leaves out."""
_SUBMODULE = "160000"
"""The mode of a submodule in a tree."""
SHALLOW = (
    "this clone is shallow, so receipts do not name commits, and commits cannot approve changes: "
    "fetch the complete history (in GitHub Actions, use actions/checkout with fetch-depth: 0)"
)
PARTIAL = (
    "this clone omits versions of files (--filter), and reconcile does not fetch them: a commit that changed such a "
    "file cannot approve changes, and receipts may not name the commit of their spec. Clone the repository without "
    "--filter"
)


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
                message = f"is a submodule that is not checked out: run git submodule update --init {path}"
                return Diagnostic(file=path, message=message)
            if facts.startswith(_LEFT_OUT) and path.endswith(SUFFIXES) and not exists(top / path):
                message = f"is left out of a sparse checkout: run git sparse-checkout add {within}"
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
            # `git status` would run filters and wait for the index.
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


@dataclass(slots=True)
class CheckedOutSpecs:
    """The `SpecSource` of a specs directory in a checkout.

    Args:
        specs: the reader of the directory's files.
        root: the specs directory.
        checkout: the checkout that contains it.
        statuses: the directory of statuses.
        now: the wall clock.
        is_pinned: whether the specs are acted on only while the branch is checked out that was checked out at the
            start. If so, they are not acted on while HEAD is detached.
    """

    specs: SpecsDir
    root: Path
    checkout: Checkout
    statuses: Path
    now: Now
    is_pinned: bool = False
    _branch: str | None = None
    _within: str = field(init=False)
    _statuses_within: str | None = field(init=False)
    _approvals: ReadApprovals = field(init=False)
    _origins: dict[tuple[str | None, str], Origin | None] = field(default_factory=dict)
    _revision: str | None = None
    _mismatch: Diagnostic | None = None
    """A diagnostic for the first file that Git left out of the working tree or re-encoded, or None."""
    _distrust: str | None = None
    """Why the state of the checkout forbids acting on the last snapshot, or None."""

    def __post_init__(self) -> None:
        """Record the checked-out branch and the paths of specs and statuses. Raises `GitError` if Git fails."""
        self._branch = self.checkout.branch()
        git, statuses = self.checkout.git, self.statuses.resolve()
        self._within = self.root.resolve().relative_to(git.directory).as_posix()
        is_inside = statuses.is_relative_to(git.directory)
        self._statuses_within = statuses.relative_to(git.directory).as_posix() if is_inside else None
        self._approvals = ReadApprovals(git, self._within, self._statuses_within, self.now)

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document. If the documents may not be acted on, `why_not_trusted` gives the reason.

        Without `by_content`, a file whose stamp has not changed is not read again.
        """
        before, why_not_trusted = self._state()
        found = self.specs.snapshot(by_content=by_content)
        if self._mismatch is not None:
            found = replace(found, diagnostics=(self._mismatch, *found.diagnostics))
        is_torn = False
        if why_not_trusted is None:
            # Reading a checkout takes many steps. If two scans are equal and the state has not changed between them,
            # the snapshot is consistent.
            first, found = found, self.specs.snapshot(by_content=by_content)
            is_torn = found != first or self._state() != (before, None)
        if is_torn:
            why_not_trusted = "it changed while it was read"
        self._revision, self._distrust = before, why_not_trusted
        reported = f"the checkout is read but not acted on: {why_not_trusted}" if why_not_trusted else None
        return replace(
            found,
            revision=before,
            why_not_trusted=reported or found.why_not_trusted,
            is_torn=is_torn,
            approvals=self._approvals.at(before, found) if before and not self.checkout.is_shallow() else (),
            notices=self._notices(),
        )

    def has_settled(self) -> bool:
        """Return whether the state of the checkout forbade acting on the last snapshot, but allows acting now."""
        return self._distrust is not None and self._state()[1] is None

    def current(self, file: str, name: str) -> JobDocument | None:
        """Read a file again, and return the job document with this name.

        Return None if the file cannot be read, if it does not contain exactly one valid job document with this name, if
        a Git operation is unfinished, or if Git fails.
        """
        return None if self.checkout.unfinished_operation() else self.specs.current(file, name)

    def is_as_read(self) -> bool:
        """Return whether the checkout may be acted on, with the Settings and providers of the last snapshot."""
        return self._state()[1] is None and self.specs.is_as_read()

    def origin(self, file: str) -> Origin | None:
        """Return the commit that last changed a file, with its author, or None if it is unknown (`Checkout.origin`)."""
        key = (self._revision, file)
        if key not in self._origins:
            self._origins[key] = self.checkout.origin(self.root / file)
        return self._origins[key]

    def _notices(self) -> tuple[str, ...]:
        notices = {SHALLOW: self.checkout.is_shallow(), PARTIAL: self.checkout.is_partial}
        errors = () if self._approvals.error is None else (self._approvals.error,)
        return (*(notice for notice, is_so in notices.items() if is_so), *errors)

    def _state(self) -> tuple[str | None, str | None]:
        """Return the checked-out commit, if any, and why the checkout must not be acted on, or None if it may be."""
        try:
            self._mismatch, what = self.checkout.missing_part(self._within), "a part of it is missing"
            if self._mismatch is None:
                self._mismatch = find_reencoded(self.checkout.git, self._within, self._statuses_within)
                what = "a part of it differs from its commit"
            why = f"{what}: {self._mismatch.file}" if self._mismatch else None
            return self.checkout.revision(), self.checkout.unfinished_operation() or self._wrong_branch() or why
        except GitError as error:
            return None, self.checkout.relative(str(error))

    def _wrong_branch(self) -> str | None:
        if not self.is_pinned:
            return None
        branch = self.checkout.branch()
        if branch is None:
            return "its HEAD is detached, and a watch needs a branch: check out a branch, and restart reconcile"
        if self._branch is None:
            return "its HEAD was detached when the watch started: restart reconcile"
        still = f"it is no longer on the branch {self._branch!r}: check that branch out, or restart reconcile"
        return None if branch == self._branch else still
