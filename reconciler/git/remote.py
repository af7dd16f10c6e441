"""A branch of a Git remote as a source of specs: known by its URL alone, and never checked out.

Rules: one commit at a time is read, whole; what is fetched is data. A branch that was rewound is read and not acted on
until an operator accepts where it is now. A remote that is away is told, and the last commit goes on being read.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.formats.spec_parser import read_documents
from reconciler.formats.yaml_documents import Parse
from reconciler.formats.yaml_text import parse
from reconciler.git.approvals import ReadApprovals
from reconciler.git.author import Author
from reconciler.git.clone import Clone
from reconciler.git.command import FETCHED_MAX, GitError
from reconciler.git.commit_tree import TreeDisk
from reconciler.git.commits import is_commit, read_origin
from reconciler.git.publisher import GitPublisher
from reconciler.git.status_branch import StatusBranch
from reconciler.local.file_writer import replace_file
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

REF = "refs/reconcile/specs"
DEPTH = 1000
"""How much history the first fetch brings; the rest comes once somebody needs it."""
_WOULD_ASK = "terminal prompts disabled"
_WITHOUT_LARGE = "--filter=blob:limit=8m"


@dataclass(slots=True)
class RemoteSpecs:
    """The `SpecSource` of a branch of a remote.

    Args:
        git: our clone of it.
        ref: the branch.
        inside: the specs directory in its tree.
        statuses: where statuses stand in its tree, if they do.
        memory: the file that remembers which commit was acted on last.
        now: the wall clock.
        parse: how a file is read.
        accepted: a commit that an operator accepts, though the branch was rewound to it; once.
        may_act: whether what is read may be acted on; a run that only looks leaves no memory, and accepts nothing.
    """

    git: Clone
    ref: str
    inside: str
    statuses: str | None
    memory: Path
    now: Now
    parse: Parse = parse
    accepted: str | None = None
    may_act: bool = True
    head: str | None = None
    """The newest commit that was fetched."""
    away: str | None = None
    """Why the remote could not be asked the last time."""
    _disk: TreeDisk = field(init=False)
    _specs: SpecsDir = field(init=False)
    _approvals: ReadApprovals = field(init=False)
    _is_whole: bool = False
    """Whether all of the branch's history was asked for."""
    _unreadable: str | None = None
    """The commit that was fetched and could not be read: the clone may be torn."""
    _made_for: str | None = None
    """The one for which the clone was made anew, which helps once or never."""
    _polling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        root = Path("/", self.inside)
        self._disk = TreeDisk(self.git, self.inside, root)
        self._approvals = ReadApprovals(self.git, self.inside, self.statuses, self.now)
        self._specs = SpecsDir(root, root / "status", self._disk, self.inside or ".", self.parse)

    def poll(self) -> bool:
        """Ask the remote where the branch is, and fetch it if it moved. Returns whether it did; never raises."""
        with self._polling:
            try:
                tip = self._ask()
            except GitError as error:
                self.away = self._explained(str(error))
                return False
            has_moved, self.head, self.away = tip != self.head, tip, None
            return has_moved

    def renew(self) -> None:
        """Make the clone anew, for something in it is torn. Raises `GitError`, or OSError."""
        with self._polling:
            self.git.make()
            self.head = None
        self.poll()

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read the newest commit that was fetched."""
        if self.head is None:
            why = "nothing was fetched yet"
            return Snapshot(broken_files=frozenset({""}), notices=self._notices(), why_not_trusted=why)
        commit = self.head
        try:
            self._disk.turn_to(commit)
        except GitError as error:
            if error.code is not None:
                self._unreadable, self.head = commit, None
            said = Diagnostic(file=self.inside or ".", message=f"{commit[:12]} cannot be read: {error}")
            return Snapshot(
                broken_files=frozenset({""}), revision=commit, diagnostics=(said,), why_not_trusted="it cannot be read"
            )
        found = self._specs.snapshot(by_content=by_content)
        try:
            why_not_trusted = self._rewound(commit)
            if why_not_trusted is None and self.may_act:
                replace_file(self.memory, f"{commit}\n".encode(), is_durable=True)
        except OSError as error:
            why_not_trusted = f"which commit was acted on last cannot be kept: {error.strerror}: {self.memory}"
        return replace(
            found,
            revision=commit,
            why_not_trusted=why_not_trusted or found.why_not_trusted,
            approvals=self._approvals.at(commit, found.jobs),
            notices=self._notices(),
        )

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return a job document as the newest commit has it."""
        if self.head == self._disk.commit:
            return self._specs.current(file, name)
        try:
            data = self.git.run("cat-file", "blob", f"{self.head}:{self._path(file)}")
        except GitError:
            return None
        jobs = read_documents(data, file=file, shown=file).jobs
        found = [each.document for each in jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def is_as_read(self) -> bool:
        """Whether the newest commit has the Settings that were read."""
        paths, read = [self._path(each) for each in self._specs.settings_files], self._disk.commit
        if self.head == read or read is None or self.head is None or not paths:
            return True
        try:
            return (
                self.git.find("diff-tree", "-r", "--quiet", "--end-of-options", read, self.head, "--", *paths)
                is not None
            )
        except GitError:
            return False

    def origin(self, file: str) -> Origin | None:
        """Return who last changed a file."""
        path = self._path(file)
        commit = self._disk.commit or REF
        try:
            found = read_origin(self.git, commit, path)
            if found is not None and self._is_cut_off(found.commit) and self._deepen():
                found = read_origin(self.git, commit, path)
        except GitError:
            return None
        return None if found is None or self._is_cut_off(found.commit) else found

    def _path(self, file: str) -> str:
        """Return where a spec file stands in the tree."""
        return f"{self.inside}/{file}" if self.inside else file

    def _ask(self) -> str:
        """Return where the branch is, fetched. Raises `GitError`."""
        name = f"refs/heads/{self.ref}"
        listed = self.git.text("ls-remote", "--", "origin", name).splitlines()
        tips = {ref: commit for commit, _, ref in (line.partition("\t") for line in listed) if is_commit(commit)}
        if name not in tips:
            msg = f"it has no branch {self.ref!r}"
            raise GitError(msg)
        if tips[name] == self.head:
            return self.head
        if not self._has_fetched():
            self._fetch(f"--depth={DEPTH}")
        else:
            self._fetch()
        return self.git.text("rev-parse", "--verify", REF)

    def _has_fetched(self) -> bool:
        """Whether the branch as it was is here. What is torn, as a machine leaves it that loses its power, goes."""
        try:
            is_here = self.git.find("cat-file", "-e", f"{REF}^{{tree}}") is not None
        except GitError as error:
            if error.code is None:
                raise
            is_here = False
        is_torn = not is_here and self.git.find("rev-parse", "--verify", "--quiet", REF) is not None
        if self.git.is_alone and (is_torn or self._unreadable not in {None, self._made_for}):
            self._made_for = self._unreadable
            self.git.make()
            return False
        return is_here

    def _explained(self, complaint: str) -> str:
        """Return what Git says, and what to do about it where Git would have asked a person."""
        if _WOULD_ASK not in complaint:
            return complaint
        is_given = self.git.access is not None and self.git.access.is_given
        told = "it refuses the token" if is_given else "it wants a token: --git-token-file, or RECONCILE_GIT_TOKEN"
        return f"{told} ({complaint})"

    def _fetch(self, *how: str) -> None:
        wanted = f"+refs/heads/{self.ref}:{REF}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", _WITHOUT_LARGE)
        self.git.run("fetch", *options, *how, "--", "origin", wanted, file_max=FETCHED_MAX)

    def _deepen(self) -> bool:
        """Fetch the history that the first fetch left out. Returns whether it came."""
        with self._polling:
            if self._is_whole:
                return False
            self._is_whole = True
            try:
                self._fetch("--unshallow")
            except GitError:
                return False
            return True

    def _is_cut_off(self, commit: str) -> bool:
        """Whether history ends at a commit only because the rest was not fetched: it seems to have made everything."""
        try:
            ends = (self.git.directory / "shallow").read_text(encoding="ascii").split()
        except FileNotFoundError:
            return False
        return any(each.startswith(commit) for each in ends)

    def _rewound(self, commit: str) -> str | None:
        before = self._remembered()
        if before in (None, commit):
            return None
        if self.accepted and commit.startswith(self.accepted):
            self.accepted = None if self.may_act else self.accepted
            return None
        if self._comes_after(commit, before or "") or (self._deepen() and self._comes_after(commit, before or "")):
            return None
        return (
            f"the branch {self.ref} was rewound: {commit[:12]} does not come after {str(before)[:12]}; "
            f"if that is meant, --accept-revision {commit[:12]}"
        )

    def _remembered(self) -> str | None:
        """Return the commit that was acted on last. Raises OSError where that cannot be read, which is not none."""
        try:
            return self.memory.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None

    def _comes_after(self, commit: str, before: str) -> bool:
        try:
            return self.git.find("merge-base", "--is-ancestor", "--end-of-options", before, commit) is not None
        except GitError:
            return False  # the earlier one is not here

    def _notices(self) -> tuple[str, ...]:
        away = None if self.away is None else f"the spec repository cannot be fetched: {self.away}"
        return tuple(each for each in (away, self._approvals.trouble) if each is not None)


def publish_to_remote(
    specs: RemoteSpecs, directory: Path, branch: str | None, signature: Author, trailers: tuple[str, ...]
) -> GitPublisher:
    """Return the publisher to the remote that the specs come from.

    Args:
        specs: that remote.
        directory: where the statuses stand on the disk.
        branch: a branch that holds nothing else; None is the specs' own.
        signature: who commits.
        trailers: lines at the end of each message.
    """
    prefix = "" if branch is not None else specs.statuses or "status"
    return GitPublisher(
        StatusBranch(
            specs.git,
            branch or specs.ref,
            prefix,
            directory.resolve(),
            "origin",
            signature,
            trailers,
            read_again=specs.poll,
            renew=specs.renew,
            specs=None if branch is None else REF,
            fetching=(_WITHOUT_LARGE,),
        )
    )
