"""The specs directory in a Git checkout: its revision, the last commit of each file, and when it is not acted on.

Rules: the files are read as they are in the working tree, including uncommitted changes. They are not acted on in any
of these cases: a Git command is running; an operation such as a merge or rebase is unfinished; Git leaves out or
re-encodes a part of the specs; the files change during every scan. A watch acts only on the branch that was checked out
when the watch started. A shallow clone shows neither the last commit of a file nor approvals, because its history is
incomplete.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.git.approvals import ReadApprovals
from reconciler.git.checkout import Checkout
from reconciler.git.command import GitError
from reconciler.git.reencoding import find_reencoded
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

SHALLOW = (
    "this clone is shallow, so receipts do not name commits, and commits cannot approve changes: "
    "fetch the complete history (in GitHub Actions, use actions/checkout with fetch-depth: 0)"
)
PARTIAL = (
    "this clone omits versions of files (--filter), and reconcile does not fetch them: a commit that changed such a "
    "file cannot approve changes, and receipts may not name the commit of their spec. Clone the repository without "
    "--filter."
)
_TORN = "it changed while it was read"
_FURTHER_SCANS = 3
"""The maximum number of further scans of a checkout, which end once two scans in a row are equal."""


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
    _origins: dict[str, Origin | None] = field(default_factory=dict)
    """The origins that were requested since `_revision` was checked out, by file."""
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
        commit, found, why_not_trusted = self._read(by_content=by_content)
        if self._mismatch is not None:
            found = replace(found, diagnostics=(self._mismatch, *found.diagnostics))
        if commit != self._revision:
            self._origins.clear()
        self._revision, self._distrust = commit, why_not_trusted
        doubt = f"no change is requested while the checkout is in this state: {why_not_trusted}"
        return replace(
            found,
            revision=commit,
            why_not_trusted=doubt if why_not_trusted else found.why_not_trusted,
            is_torn=why_not_trusted == _TORN,
            approvals=self._approvals.at(commit, found) if commit and not self.checkout.is_shallow() else (),
            notices=self._notices(),
        )

    def _read(self, *, by_content: bool) -> tuple[str | None, Snapshot, str | None]:
        """Return the checked-out commit, every document, and why the documents may not be acted on, or None.

        Reading a checkout takes many steps. If two scans in a row are equal and the state has not changed between them,
        the documents are consistent. A person who saves a file changes one scan, so a few more scans follow.
        """
        commit, why = self._state()
        found = self.specs.snapshot(by_content=by_content)
        for _ in range(_FURTHER_SCANS):
            if why is not None:
                return commit, found, why
            again, state = self.specs.snapshot(by_content=by_content), self._state()
            if again == found and state == (commit, None):
                return commit, found, None
            found, (commit, why) = again, state
        return commit, found, why or _TORN

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
        if file not in self._origins:
            self._origins[file] = self.checkout.origin(self.root / file)
        return self._origins[file]

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
