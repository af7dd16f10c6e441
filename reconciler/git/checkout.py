"""The specs directory as part of a Git checkout: which revision it is, who wrote what, and when not to act on it.

Rules: what is checked out is taken as it is; while a merge or a rebase is under way, while Git itself is at work, while
a part of the specs is left out, or when two scans differ, it is read and not acted on. A watch is pinned to the branch
it began on. In a shallow clone nobody can tell who wrote what, so nobody is named.
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
from reconciler.git.discovery import find_repository, is_there
from reconciler.git.reencoding import find_reencoded
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

_UNDER_WAY = {
    "MERGE_HEAD": "a merge is under way",
    "CHERRY_PICK_HEAD": "a cherry-pick is under way",
    "REVERT_HEAD": "a revert is under way",
    # Between two commits of several, nothing but the list of those to come is left.
    "sequencer": "a cherry-pick or revert is under way",
    "rebase-merge": "a rebase is under way",
    "rebase-apply/applying": "patches are being applied (git am)",
    "rebase-apply": "a rebase is under way",
    "BISECT_START": "a bisect is under way",
    "BISECT_LOG": "a bisect is under way",
    "index.lock": "Git is at work in it",
}
"""What Git keeps in a working tree's own directory as long as it has not finished, as `git status` tells it."""
_BRANCHES = "refs/heads/"
_LEFT_OUT = "S "
"""How `git ls-files -t` begins a file that a sparse checkout leaves out."""
_SUBMODULE = "160000"
"""The mode of a submodule in a tree."""
SHALLOW = (
    "this clone is shallow, so receipts name no commit and no commit approves anything: "
    "fetch all of it (in GitHub Actions, actions/checkout with fetch-depth: 0)"
)

PARTIAL = (
    "this clone leaves files out (--filter), and they are not fetched: no commit approves a change of one of them, "
    "and a receipt may name no commit. Clone all of it"
)


def find_checkout(
    specs: Path, *, scratch: Path | None = None, is_stopping: Callable[[], bool] = lambda: False
) -> Checkout | None:
    """Return the checkout that a directory is in, or None where it is in none.

    Args:
        specs: the specs directory.
        scratch: where Git's temporary files go; None is the system's place for them.
        is_stopping: whether the program is to end.

    Raises `GitError`, with what a person can do, where there is one that Git cannot read.
    """
    found = find_repository(specs, scratch=scratch, is_stopping=is_stopping) if specs.is_dir() else None
    return None if found is None else Checkout(found.git, found.common_dir, is_partial=found.is_partial)


@dataclass(frozen=True, slots=True)
class UnreadableSpecsError:
    """The `SpecSource` of a directory in a checkout that Git cannot read: it may be half of one, so no action."""

    specs: SpecsDir
    why: str

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything, and say why it may not be acted on."""
        told = f"the checkout is read and not acted on, for Git cannot read it ({self.why})"
        return replace(self.specs.snapshot(by_content=by_content), why_not_trusted=told)

    def current(self, file: str, name: str) -> JobDocument | None:  # noqa: ARG002  the port's
        """Return None: nothing here is acted on."""
        return None

    def is_as_read(self) -> bool:
        """Return False: nothing here is acted on."""
        return False

    def origin(self, file: str) -> Origin | None:  # noqa: ARG002  the port's
        """Return None: nobody can tell."""
        return None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A working tree of Git."""

    git: Git
    common_dir: Path
    """Where the branches are, which linked working trees share."""
    is_partial: bool = False
    """Whether the clone left files out, so that what a commit changed cannot be read."""

    def revision(self) -> str | None:
        """Return the commit that is checked out, or None before the first one."""
        # A watch asks at each change, and to start Git takes longer than a look at two small files.
        ref = self._head()
        loose = (_read(self.common_dir / ref) if ref else None) or ""
        return loose if is_commit(loose) else self.git.find("rev-parse", "--verify", "--quiet", "HEAD")

    def branch(self) -> str | None:
        """Return the branch that is checked out, or None where HEAD is detached, as CIs leave it."""
        ref = self._head()
        if ref is not None and ref.startswith(_BRANCHES):
            return ref.removeprefix(_BRANCHES)
        return self.git.find("symbolic-ref", "--short", "--quiet", "HEAD")

    def _head(self) -> str | None:
        """Return the reference that HEAD is, where it is a plain file that says so."""
        text = _read(self.git.git_dir / "HEAD") or ""
        ref = text.removeprefix("ref: ")
        return ref if ref != text and not ref.endswith(".invalid") else None

    def is_shallow(self) -> bool:
        """Whether history was cut off, or may have been, so that nobody can tell which commit changed what."""
        try:
            return is_there(self.common_dir / "shallow")
        except GitError:
            return True

    def under_way(self) -> str | None:
        """Return what Git has not finished here, or None."""
        try:
            told = next((told for name, told in _UNDER_WAY.items() if is_there(self.git.git_dir / name)), None)
            if told is not None or not is_there(self.git.git_dir / "AUTO_MERGE"):
                return told
            # `git stash pop` and `git merge --squash` leave conflicts, but nothing that says that they are not done;
            # and this file stays behind when the conflicts are gone.
            return "it has files with conflicts" if self.git.text("ls-files", "--unmerged") else None
        except GitError as error:
            return str(error)

    def left_out(self, within: str) -> Diagnostic | None:
        """Return what of a folder is committed and not here, or None. What is not here is not deleted.

        A sparse checkout leaves files out. A submodule leaves all of its own out until it is asked for.
        """
        top = self.git.directory
        if not is_there(self.git.git_dir / "info" / "sparse-checkout") and not is_there(top / ".gitmodules"):
            return None
        listed = self.git.text("ls-files", "-z", "-t", "--stage", "--", within)
        for entry in listed.split("\0")[:-1]:
            facts, _, path = entry.partition("\t")
            if _SUBMODULE in facts.split() and not is_there(top / path / ".git"):
                told = f"is a submodule, whose files are not here (git submodule update --init {path})"
                return Diagnostic(file=path, message=told)
            if facts.startswith(_LEFT_OUT) and path.endswith(SUFFIXES) and not is_there(top / path):
                told = f"is left out of a sparse checkout (git sparse-checkout add {within})"
                return Diagnostic(file=path, message=told)
        return None

    def origin(self, path: Path) -> Origin | None:
        """Return the commit that last changed a file, and its author; None where it is not committed as it stands."""
        if self.is_shallow():
            return None
        try:
            within = path.resolve().relative_to(self.git.directory).as_posix()
            # Not by `git status`, which asks filters, and waits for the index.
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
        specs: the directory's own source.
        root: the specs directory.
        checkout: the checkout that it is in.
        statuses: where statuses stand.
        now: the wall clock.
        is_pinned: whether only the branch that it began on is acted on; a detached HEAD is none.
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
    _flaw: Diagnostic | None = None
    """What of the working tree is not as it was committed, and not by a person's hand."""
    _doubt: str | None = None
    """Why the last snapshot may not be acted on, as far as Git is concerned."""

    def __post_init__(self) -> None:
        """Remember the branch that it begins on, and where in its tree things stand."""
        self._branch = self.checkout.branch()
        git, statuses = self.checkout.git, self.statuses.resolve()
        self._within = self.root.resolve().relative_to(git.directory).as_posix()
        is_inside = statuses.is_relative_to(git.directory)
        self._statuses_within = statuses.relative_to(git.directory).as_posix() if is_inside else None
        self._approvals = ReadApprovals(git, self._within, self._statuses_within, self.now)

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything, and say whether it may be acted on."""
        before, why_not_trusted = self._standing()
        found = self.specs.snapshot(by_content=by_content)
        if self._flaw is not None:
            found = replace(found, diagnostics=(self._flaw, *found.diagnostics))
        is_torn = False
        if why_not_trusted is None:
            first, found = found, self.specs.snapshot(by_content=by_content)
            is_torn = found != first or self._standing() != (before, None)
        if is_torn:
            why_not_trusted = "it changed while it was read"
        self._revision, self._doubt = before, why_not_trusted
        told = f"the checkout is read and not acted on: {why_not_trusted}" if why_not_trusted else None
        return replace(
            found,
            revision=before,
            why_not_trusted=told or found.why_not_trusted,
            is_torn=is_torn,
            approvals=self._approvals.at(before, found.jobs) if before and not self.checkout.is_shallow() else (),
            notices=self._notices(),
        )

    def has_settled(self) -> bool:
        """Whether what was doubted at the last snapshot is over. No file need have changed for that."""
        return self._doubt is not None and self._standing()[1] is None

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return a job document as it stands now, unless Git is at work."""
        return None if self.checkout.under_way() else self.specs.current(file, name)

    def is_as_read(self) -> bool:
        """Whether Git is not at work, nobody has left the branch, and Settings say what they said."""
        return self._standing()[1] is None and self.specs.is_as_read()

    def origin(self, file: str) -> Origin | None:
        """Return who last changed a file."""
        key = (self._revision, file)
        if key not in self._origins:
            self._origins[key] = self.checkout.origin(self.root / file)
        return self._origins[key]

    def _notices(self) -> tuple[str, ...]:
        told = {SHALLOW: self.checkout.is_shallow(), PARTIAL: self.checkout.is_partial}
        trouble = () if self._approvals.trouble is None else (self._approvals.trouble,)
        return (*(notice for notice, is_so in told.items() if is_so), *trouble)

    def _standing(self) -> tuple[str | None, str | None]:
        """Return the commit that is checked out, and why nothing here may be acted on."""
        try:
            self._flaw, flawed = self.checkout.left_out(self._within), "a part of it is not here"
            if self._flaw is None:
                self._flaw = find_reencoded(self.checkout.git, self._within, self._statuses_within)
                flawed = "a part of it is not as it was committed"
            told = f"{flawed}: {self._flaw.file}" if self._flaw else None
            return self.checkout.revision(), self.checkout.under_way() or self._strayed() or told
        except GitError as error:
            return None, str(error)

    def _strayed(self) -> str | None:
        if not self.is_pinned:
            return None
        branch = self.checkout.branch()
        if branch is None:
            return "its HEAD is detached, and a watch needs a branch"
        return None if branch == self._branch else f"it is no longer on the branch {self._branch!r}"
