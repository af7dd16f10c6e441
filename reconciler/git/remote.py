"""A branch of a Git remote as a source of specs. The remote is given by its URL, and nothing is checked out.

Rules: a snapshot is read from one commit. Nothing in a fetched commit is executed. A branch that was rewound is read
but not acted on until an operator accepts its new commit. While the remote is unreachable, reconcile reports that and
continues to use the commit that was fetched last.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.formats.spec_parser import read_documents
from reconciler.git.approvals import ReadApprovals
from reconciler.git.clone import Clone
from reconciler.git.command import FETCH_MAX, GitError
from reconciler.git.commit_tree import TreeDisk
from reconciler.git.commits import is_commit, read_origin
from reconciler.local.file_index import FileIndex
from reconciler.local.file_writer import replace_file
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

REF = "refs/reconcile/specs"
DEPTH = 1000
"""How many commits of the history the first fetch transfers. Older commits are fetched when they are needed."""
_WANTS_CREDENTIALS = "terminal prompts disabled"
WITHOUT_LARGE = "--filter=blob:limit=8m"


@dataclass(slots=True)
class RemoteSpecs:
    """The `SpecSource` for a branch of a remote.

    Args:
        git: the clone of the remote.
        ref: the name of the branch.
        inside: the path of the specs directory in the tree. Empty for the root of the tree.
        statuses: the path of the status directory in the tree, or None if it is not in the tree.
        memory: the file that records the commit that was last acted on.
        now: the wall clock.
        index: the parsed contents of spec files from earlier runs. Without an index, every file is parsed.
        accepted: a commit id, or the beginning of a commit id. A rewind of the branch to that commit is accepted once.
            None accepts no rewind.
        may_act: whether the specs may be acted on. If not, neither a commit nor the use of `accepted` is recorded.
    """

    git: Clone
    ref: str
    inside: str
    statuses: str | None
    memory: Path
    now: Now
    index: FileIndex | None = None
    accepted: str | None = None
    may_act: bool = True
    head: str | None = None
    """The last fetched commit, or None if nothing was fetched yet or the commit could not be read."""
    unreachable: str | None = None
    """Why the last poll failed, or None."""
    _disk: TreeDisk = field(init=False)
    _specs: SpecsDir = field(init=False)
    _approvals: ReadApprovals = field(init=False)
    _is_unshallow: bool = False
    """Whether the complete history of the branch was requested, even if the fetch failed."""
    _unreadable: str | None = None
    """A commit that was fetched but could not be read, or None. The clone may be damaged."""
    _recreated_for: str | None = None
    """The unreadable commit for which the clone was recreated, or None. Recreating it again would not help."""
    _polling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Create the readers of the clone. Nothing is read yet."""
        root = Path("/", self.inside)
        self._disk = TreeDisk(self.git, self.inside, root)
        self._approvals = ReadApprovals(self.git, self.inside, self.statuses, self.now)
        self._specs = SpecsDir(root, root / "status", self._disk, self.inside or ".", self.index)

    def poll(self) -> bool:
        """Fetch the branch if it has moved, and return whether it has moved.

        If Git or the disk fails, record the reason in `unreachable`, and return False. The next poll tries again.
        """
        with self._polling:
            try:
                tip = self._fetch_tip()
            except GitError as error:
                self.unreachable = self._explained(str(error))
                return False
            except OSError as error:  # the clone is damaged and cannot be recreated, for example on a full disk
                self.unreachable = f"the clone cannot be written: {error.strerror}: {self.git.git_dir}"
                return False
            has_moved, self.head, self.unreachable = tip != self.head, tip, None
            return has_moved

    def recreate_clone(self) -> None:
        """Recreate a damaged clone, and fetch the branch.

        Raises `GitError` or `OSError` if the clone cannot be recreated. If the fetch fails, see `unreachable`.
        """
        with self._polling:
            self.git.create()
            self.head = None
        self.poll()

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Return every document in the last fetched commit. If it may not be acted on, `why_not_trusted` says why.

        If no commit was fetched, or if the commit cannot be read, the snapshot contains no document.
        """
        if self.head is None:
            why = "the branch of the specs has not been fetched yet"
            return Snapshot(broken_files=frozenset({""}), notices=self._notices(), why_not_trusted=why)
        commit = self.head
        try:
            self._disk.switch_to(commit)
        except GitError as error:
            if error.code is not None:
                self._unreadable, self.head = commit, None
            diagnostic = Diagnostic(file=self.inside or ".", message=f"{commit[:12]} cannot be read: {error}")
            return Snapshot(
                broken_files=frozenset({""}),
                revision=commit,
                diagnostics=(diagnostic,),
                why_not_trusted=f"the commit {commit[:12]} cannot be read",
            )
        found = self._specs.snapshot(by_content=by_content)
        try:
            why_not_trusted = self._rewound(commit)
            if why_not_trusted is None and self.may_act:
                replace_file(self.memory, f"{commit}\n".encode(), is_durable=True)
        except OSError as error:
            # The path is left out, because this text may reach a status.
            why_not_trusted = f"the commit in the state directory cannot be read or written: {error.strerror}"
        return replace(
            found,
            revision=commit,
            why_not_trusted=why_not_trusted or found.why_not_trusted,
            approvals=self._approvals.at(commit, found),
            notices=self._notices(),
        )

    def current(self, file: str, name: str) -> JobDocument | None:
        """Return the job document with this name in a file of the last fetched commit.

        Return None if no commit was fetched, if the file cannot be read, or if it does not contain exactly one valid
        job document with this name.
        """
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
        """Return whether the last fetched commit has the same files of Settings and providers as the last snapshot.

        Return True if nothing was fetched or read yet, or if the snapshot has no such file. If Git fails, return False.
        """
        paths, read = [self._path(each) for each in self._specs.shared_files], self._disk.commit
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
        """Return the commit that last changed a file, with its author.

        Return None if Git fails, or if the author or the history before the commit cannot be read. Raises `OSError` if
        the disk fails.
        """
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
        """Return the path of a spec file in the tree."""
        return f"{self.inside}/{file}" if self.inside else file

    def _fetch_tip(self) -> str:
        """Fetch the branch if it has moved, and return its commit.

        Raises `GitError` if Git fails, and `OSError` if a damaged clone cannot be recreated.
        """
        name = f"refs/heads/{self.ref}"
        listed = self.git.text("ls-remote", "--", "origin", name).splitlines()
        tips = {ref: commit for commit, _, ref in (line.partition("\t") for line in listed) if is_commit(commit)}
        if name not in tips:
            msg = f"the remote has no branch {self.ref!r}: set --git-ref to one of its branches"
            raise GitError(msg)
        if tips[name] == self.head:
            return self.head
        if not self._has_fetched():
            self._fetch(f"--depth={DEPTH}")
        else:
            self._fetch()
        return self.git.text("rev-parse", "--verify", REF)

    def _has_fetched(self) -> bool:
        """Return whether the last fetched commit is in the clone.

        If the clone is damaged, for example by a power failure, and no other process uses it, recreate it and return
        False.
        """
        try:
            is_here = self.git.find("cat-file", "-e", f"{REF}^{{tree}}") is not None
        except GitError as error:
            if error.code is None:
                raise
            is_here = False
        is_torn = not is_here and self.git.find("rev-parse", "--verify", "--quiet", REF) is not None
        if self.git.is_exclusive and (is_torn or self._unreadable not in {None, self._recreated_for}):
            self._recreated_for = self._unreadable
            self.git.create()
            return False
        return is_here

    def _explained(self, message: str) -> str:
        """Return Git's message, with the remedy if Git asked for credentials."""
        if _WANTS_CREDENTIALS not in message:
            return message
        is_given = self.git.access is not None and self.git.access.is_given
        needed, refused = "set --git-token-file or RECONCILE_GIT_TOKEN", "use a token that may read the repository"
        why = f"the remote refuses the token: {refused}" if is_given else f"the remote needs a token: {needed}"
        return f"{why} ({message})"

    def _fetch(self, *how: str) -> None:
        wanted = f"+refs/heads/{self.ref}:{REF}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", WITHOUT_LARGE)
        self.git.run("fetch", *options, *how, "--", "origin", wanted, file_max=FETCH_MAX)

    def _deepen(self) -> bool:
        """Fetch the rest of the history, unless that was already tried. Return whether this call fetched it."""
        with self._polling:
            if self._is_unshallow:
                return False
            self._is_unshallow = True
            try:
                self._fetch("--unshallow")
            except GitError:
                return False
            return True

    def _is_cut_off(self, commit: str) -> bool:
        """Return whether the cloned history ends at a commit, which therefore seems to have created every file."""
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
            f"to accept that, use --accept-revision {commit[:12]}"
        )

    def _remembered(self) -> str | None:
        """Return the commit that was last acted on, or None if there is none. Raises `OSError` if it cannot be read."""
        try:
            return self.memory.read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return None

    def _comes_after(self, commit: str, before: str) -> bool:
        try:
            return self.git.find("merge-base", "--is-ancestor", "--end-of-options", before, commit) is not None
        except GitError:
            return False  # the earlier commit is not in the clone

    def _notices(self) -> tuple[str, ...]:
        unreachable = None if self.unreachable is None else f"the spec repository cannot be fetched: {self.unreachable}"
        return tuple(each for each in (unreachable, self._approvals.error) if each is not None)
