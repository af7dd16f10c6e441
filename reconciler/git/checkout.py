"""The specs directory as part of a Git checkout: which revision it is, who wrote what, and when not to act on it.

Rules: what is checked out is taken as it is; while a merge or a rebase is under way, while Git itself is at work, or
when two scans differ, it is read and not acted on. A watch is pinned to the branch it began on. In a shallow clone
nobody can tell who wrote what, so nobody is named.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.git.approvals import Approving, in_force, read_approvals
from reconciler.git.command import Git, GitError
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

_UNDER_WAY = {
    "MERGE_HEAD": "a merge is under way",
    "CHERRY_PICK_HEAD": "a cherry-pick is under way",
    "REVERT_HEAD": "a revert is under way",
    "rebase-merge": "a rebase is under way",
    "rebase-apply": "a rebase is under way",
    "index.lock": "Git is at work in it",
}
_FIELD = "\x1f"
_BRANCHES = "refs/heads/"
SHALLOW = (
    "this clone is shallow, so receipts name no commit and no commit approves anything: "
    "fetch all of it (in GitHub Actions, actions/checkout with fetch-depth: 0)"
)


def find_checkout(specs: Path) -> Checkout | None:
    """Return the checkout that a directory is in, or None where it is in none, or Git is not installed."""
    git = Git(specs)
    top = git.find("rev-parse", "--show-toplevel") if specs.is_dir() else None
    git_dir = git.find("rev-parse", "--absolute-git-dir")
    # Linked working trees share it, so that it is in none of their own directories.
    shallow = git.find("rev-parse", "--git-path", "shallow")
    return Checkout(Git(Path(top)), Path(git_dir), specs / shallow) if top and git_dir and shallow else None


def why_unreadable(specs: Path) -> str | None:
    """Return why Git cannot read the checkout that a directory is in; None where it can, or where it is in none."""
    resolved = specs.resolve()
    top = next((each for each in (resolved, *resolved.parents) if (each / ".git").exists()), None)
    if top is None:
        return None
    try:
        Git(specs).text("rev-parse", "--show-toplevel")
    except GitError as error:
        if "dubious ownership" in str(error):
            return f"it is somebody else's; if it may be trusted: git config --global --add safe.directory {top}"
        return None if "not a git repository" in str(error) else str(error)
    return None


@dataclass(frozen=True, slots=True)
class UnreadableSpecs:
    """The `SpecSource` of a directory in a checkout that Git cannot read: it may be half of one, so no action."""

    specs: SpecsDir
    why: str

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything, and say why it may not be acted on."""
        told = f"the checkout is read and not acted on, for Git cannot read it ({self.why})"
        return replace(self.specs.snapshot(by_content=by_content), distrust=told)

    def current(self, file: str, name: str) -> FineTuningJob | None:  # noqa: ARG002  the port's
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
    git_dir: Path
    shallow: Path
    """Where Git keeps which commits history was cut off at, if it was."""

    def revision(self) -> str | None:
        """Return the commit that is checked out, or None before the first one."""
        # A watch asks at each change, and to start Git takes longer than a look at two small files.
        ref = self._head()
        loose = _read(self.git_dir / ref) if ref else None
        return loose or self.git.find("rev-parse", "--verify", "--quiet", "HEAD")

    def branch(self) -> str | None:
        """Return the branch that is checked out, or None where HEAD is detached, as CIs leave it."""
        ref = self._head()
        if ref is not None and ref.startswith(_BRANCHES):
            return ref.removeprefix(_BRANCHES)
        return self.git.find("symbolic-ref", "--short", "--quiet", "HEAD")

    def _head(self) -> str | None:
        """Return the reference that HEAD is, where it is a plain file that says so."""
        text = _read(self.git_dir / "HEAD") or ""
        ref = text.removeprefix("ref: ")
        return ref if ref != text and not ref.endswith(".invalid") else None

    def is_shallow(self) -> bool:
        """Whether history was cut off, so that nobody can tell which commit changed what."""
        return self.shallow.exists()

    def under_way(self) -> str | None:
        """Return what Git has not finished here, or None."""
        return next((told for name, told in _UNDER_WAY.items() if (self.git_dir / name).exists()), None)

    def origin(self, path: Path) -> Origin | None:
        """Return the commit that last changed a file, and its author; None where it is not committed as it stands."""
        if self.is_shallow() or self.git.find("status", "--porcelain", "--", str(path)):
            return None
        return read_origin(self.git, "HEAD", str(path))


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def read_origin(git: Git, revision: str, path: str) -> Origin | None:
    """Return the commit that last changed a path, looking back from a revision, and its author."""
    told = git.find("log", "-1", f"--format=%h{_FIELD}%an <%ae>", revision, "--", path)
    commit, _, author = (told or "").partition(_FIELD)
    return Origin(commit, author) if commit and author else None


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
    _approved: tuple[Approving, ...] = ()
    _approved_at: str | None = None
    _origins: dict[tuple[str | None, str], Origin | None] = field(default_factory=dict)
    _revision: str | None = None

    def __post_init__(self) -> None:
        """Remember the branch that it begins on."""
        self._branch = self.checkout.branch()

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read everything, and say whether it may be acted on."""
        before = self.checkout.revision()
        first = self.specs.snapshot(by_content=by_content)
        distrust = self.checkout.under_way() or self._strayed()
        second = self.specs.snapshot(by_content=by_content) if distrust is None else first
        is_torn = distrust is None and (self.checkout.revision() != before or second != first)
        if is_torn:
            distrust = "it changed while it was read"
        self._revision = before
        told = f"the checkout is read and not acted on: {distrust}" if distrust else None
        return replace(
            second,
            revision=before,
            distrust=told,
            is_torn=is_torn,
            approvals=in_force(self._approvals(before), second.jobs, self.now()),
            notices=self._notices(),
        )

    def current(self, file: str, name: str) -> FineTuningJob | None:
        """Return a job document as it stands now, unless Git is at work."""
        return None if self.checkout.under_way() else self.specs.current(file, name)

    def is_as_read(self) -> bool:
        """Whether Git is not at work, nobody has left the branch, and Settings say what they said."""
        return self.checkout.under_way() is None and self._strayed() is None and self.specs.is_as_read()

    def origin(self, file: str) -> Origin | None:
        """Return who last changed a file."""
        key = (self._revision, file)
        if key not in self._origins:
            self._origins[key] = self.checkout.origin(self.root / file)
        return self._origins[key]

    def _approvals(self, revision: str | None) -> tuple[Approving, ...]:
        """Return what commits approve; read once a revision, and the guard counts what was used."""
        if revision is None or self.checkout.is_shallow():
            return ()
        if self._approved_at != revision:
            top = self.checkout.git.directory.resolve()
            specs = self.root.resolve().relative_to(top).as_posix()
            statuses = self.statuses.resolve()
            within = statuses.relative_to(top).as_posix() if statuses.is_relative_to(top) else None
            self._approved = read_approvals(self.checkout.git, revision, specs, within, self.now())
            self._approved_at = revision
        return self._approved

    def _notices(self) -> tuple[str, ...]:
        return (SHALLOW,) if self.checkout.is_shallow() else ()

    def _strayed(self) -> str | None:
        if not self.is_pinned:
            return None
        branch = self.checkout.branch()
        if branch is None:
            return "its HEAD is detached, and a watch needs a branch"
        return None if branch == self._branch else f"it is no longer on the branch {self._branch!r}"
