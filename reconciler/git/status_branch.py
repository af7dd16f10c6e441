"""Publish statuses as commits, on the branch of the specs or on a dedicated branch.

Rules: history is never rewritten, and a commit changes only statuses. A commit is made only if a status has changed,
and without the user's index. If a push is refused because another writer published first, the same changes are
committed on top of the newest commit and pushed again, as long as the other writer changed other files and the caller
says that its decisions remain valid. Otherwise, `ConflictError` is raised. `changes` then says after a pull which
statuses changed, and the decisions that are based on them must be made again.

Theory: the statuses on the disk are the working copy. `_published` contains the statuses in the commit `_base`. The two
are compared byte by byte. `pull` replaces the working copy with the published statuses. The first pull keeps receipts
that exist only in the working copy. `publish` commits the difference on top of the newest commit. `catch_up` moves the
difference onto a newer `_base`, as a rebase does. Between a fetch and the push that follows it, only what differs is
read, and the disk is not used. The shorter this time is, the less often another writer pushes within it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import ConflictError
from reconciler.formats.status_changes import changed_statuses
from reconciler.formats.status_merge import carried_over
from reconciler.git.author import Author
from reconciler.git.branches import Branch, LocalBranch, RemoteBranch, check_separate
from reconciler.git.change_log import ChangeLog
from reconciler.git.command import Git, GitError
from reconciler.git.commit_maker import CommitMaker
from reconciler.git.moved_statuses import differences, move_files, moved
from reconciler.git.published_statuses import PublishedStatuses
from reconciler.git.push_on_top import Changes, PushOnTop
from reconciler.git.push_turns import CONFLICTS_MAX, PUSHES_MAX, PushTurns, pause
from reconciler.git.status_files import StatusFiles
from reconciler.git.working_tree import WorkingTree
from reconciler.model.changed_status import ChangedStatus


@dataclass(slots=True)
class StatusBranch:
    """A branch on which statuses are published.

    Args:
        git: the repository.
        branch: the name of the branch.
        prefix: the path of the statuses in the branch's tree. Empty for a dedicated branch.
        directory: the local directory of the statuses.
        remote: the remote to push to. None means that commits are not pushed.
        author: the author of commits.
        trailers: lines at the end of each commit message.
        working_tree: the working tree in which this branch is checked out, or None. It is updated with the branch.
        refetch: fetches the specs again, after each fetch of statuses. None if they are not fetched.
        recreate_clone: a function that recreates a damaged repository. None if the repository is a user's checkout.
        specs: a revision of the specs, which must not share history with a dedicated branch. None if the statuses are
            on the branch of the specs.
        fetch_options: additional options for a fetch.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    remote: str | None
    author: Author
    trailers: tuple[str, ...] = ()
    working_tree: WorkingTree | None = None
    refetch: Callable[[], object] | None = None
    recreate_clone: Callable[[], object] | None = None
    specs: str | None = None
    fetch_options: tuple[str, ...] = ()
    pulls: int = 0
    """The number of pulls so far."""
    changes: ChangeLog = field(default_factory=ChangeLog)
    """The statuses that other writers changed, by the number of the pull that found the change."""
    _base: str | None = None
    """The commit that was last pulled or published. None if there is no such commit, or no commit on the branch."""
    _published: dict[str, bytes] = field(default_factory=dict)
    """The statuses in the commit `_base`."""
    _is_behind: bool = True
    """Whether a pull is needed before a publication: before the first pull, and once the branch has moved."""
    turns: PushTurns = field(default_factory=PushTurns)
    _reader: PublishedStatuses = field(init=False)
    _files: StatusFiles = field(init=False)
    _upstream: Branch = field(init=False)
    _maker: CommitMaker = field(init=False)

    def __post_init__(self) -> None:
        """Create the parts that read and write the repository, the disk and the remote."""
        self._reader = PublishedStatuses(self.git, self.prefix)
        self._maker = CommitMaker(self.git, self.prefix, self.author, self.trailers)
        self._files = StatusFiles(self.directory)
        if self.remote is None:
            self._upstream = LocalBranch(self.git, self.branch, self.working_tree)
        else:
            self._upstream = RemoteBranch(self.git, self.branch, self.remote, self.fetch_options)

    def pull(self) -> None:
        """Replace the statuses on the disk with the published statuses.

        The first pull keeps receipts that exist only on the disk, for example after a crash. Without a remote, the
        statuses on the disk stay unchanged, unless another process has moved a dedicated branch. Raises `GitError` or
        `OSError` if the branch or a file cannot be read or updated, and `GitError` if a dedicated branch shares commits
        with the specs.
        """
        found = {} if self.pulls else self._files.read_all()
        is_newer = self._fetch()
        if not is_newer:
            self._files.replace_all({**self._published, **carried_over(found, self._published, None)})
        self._pulled(is_newer=is_newer)  # at the end, because statuses that are read meanwhile may be older

    def _pulled(self, *, is_newer: bool) -> None:
        """Record a complete pull. After a failed one, a publication would undo the changes by other writers."""
        if not is_newer:
            self._mark()
        self._is_behind = False
        self.pulls += 1

    def _fetch(self) -> bool:
        """Fetch the published statuses. Return whether those on the disk are newer, because no other writer exists."""
        self._is_behind = True
        self._base = self._upstream.tip()
        if self.pulls == 0 and self.specs is not None and self._base is not None:
            check_separate(self.git, self.branch, self._base, self.specs)
        if self.working_tree is not None:
            self.working_tree.follow(self._base, self._files.read_all())
            self.working_tree.update_index()
        if self.refetch is not None:
            self.refetch()  # afterwards, because no spec may be older than its status
        before = self._published
        self._read_published()
        if self.pulls > 0:
            self.changes.add(self.pulls + 1, changed_statuses(before, self._published))
        # If no other writer has published since the last publication from this disk, its statuses are newer.
        return self.remote is None and (bool(self.prefix) or self._files.marked() == self._base)

    def _read_published(self) -> None:
        """Read the statuses of the commit. A clone that Git cannot read is created again."""
        try:
            self._published = self._reader.read(self._base)
        except GitError as error:
            if self.recreate_clone is None or error.code is None:
                raise
            self.recreate_clone()
            self._base = self._upstream.tip()
            self._published = self._reader.read(self._base)

    def publish(self, message: str, is_valid: Callable[[Sequence[ChangedStatus]], bool] | None = None) -> str | None:
        """Commit and push the statuses that differ from the published statuses, and return the commit.

        Return None if no status differs. `is_valid` returns whether changes by others leave the decisions behind these
        statuses valid. None means that no decision depends on other statuses.

        Raises `ConflictError` if a pull is needed first: before the first pull, or because another writer changed one
        of these statuses, or one that `is_valid` refuses, or because other writers keep pushing. Raises `GitError` or
        `OSError` if Git or the disk fails, and `GitError` if another branch has been checked out.
        """
        if self._is_behind:
            raise self._conflict()
        if self.working_tree is not None:
            self.working_tree.update_index()
        here = self._files.current(self._published)
        ours = differences(self._published, here)
        if not ours:
            return None
        if self.working_tree is not None:
            self.working_tree.check_branch()
        push = self._push_of(ours, message, is_valid)
        # A commit by others must be checked out in a working tree first, so there only one push is tried.
        commit = push.run(PUSHES_MAX if self._is_apart else 1)
        if commit is None:
            raise self._conflict()
        if push.has_followed:
            self._take_over(commit, {**push.theirs, **ours}, ours)
        else:
            self._base, self._published = commit, here
            self._mark()
        self._update_working_tree(commit)
        return commit

    def _update_working_tree(self, commit: str) -> None:
        if self.working_tree is not None:
            if self.remote is not None:
                self.working_tree.advance(commit)
            self.working_tree.update_index()

    def _push_of(
        self, ours: Changes, message: str, is_valid: Callable[[Sequence[ChangedStatus]], bool] | None
    ) -> PushOnTop:
        """Return the push of our changes. They may follow commits by others that change other files."""
        blobs = self._maker.store(ours)

        def commit_on(parent: str | None) -> str:
            try:
                return self._maker.commit(parent, blobs, message)
            except GitError:
                self._is_behind = True  # the parent commit may be damaged, so the next pull fetches it again
                raise

        def may_follow(theirs: Changes) -> bool:
            if not ours.keys().isdisjoint(theirs):
                return False
            return is_valid is None or (not self.git.is_stopping() and is_valid(self._changes_by(theirs)))

        return PushOnTop(self._upstream, self._reader, self.turns, self._base, commit_on, may_follow)

    @property
    def _is_apart(self) -> bool:
        """Whether commits by others change nothing on this machine until reconcile takes them over."""
        return self.remote is not None and self.working_tree is None

    def _changes_by(self, theirs: Changes) -> tuple[ChangedStatus, ...]:
        """Return what changes by others mean for decisions."""
        before = {path: self._published[path] for path in theirs if path in self._published}
        return tuple(changed_statuses(before, {path: data for path, data in theirs.items() if data is not None}))

    def _take_over(self, commit: str, changed: Changes, ours: Collection[str] = ()) -> None:
        """Make a commit, in which these statuses differ from `_base`, the base of the statuses on the disk.

        `ours` are the paths of those that this process has published. If this fails, the next try begins from `_base`.
        """
        self._is_behind = True
        if self.refetch is not None:
            self.refetch()  # after the fetch of the statuses, because no spec may be older than its status
        theirs = {path: data for path, data in changed.items() if path not in ours}
        published = {path: data for path, data in self._published.items() if path not in changed}
        published |= {path: data for path, data in changed.items() if data is not None}
        self.changes.add(self.pulls + 1, self._changes_by(theirs))
        move_files(self._files, theirs, self._published, published)
        self._base, self._published = commit, published
        self._pulled(is_newer=False)

    def publish_on_top(self, message: str) -> str | None:
        """Publish the changes on top of the newest commit, for outcomes that must not be lost in a conflict.

        Return the commit, or None if no status differs. If another writer has also changed a status, both versions are
        merged (`carried_over`). Raises the errors of `pull` and `publish` except `ConflictError`, and `GitError` if
        other writers keep pushing.
        """
        for number in range(CONFLICTS_MAX):
            if self._is_behind:
                self.catch_up(number)
            try:
                return self.publish(message)
            except ConflictError:
                continue
        msg = f"others changed the branch {self.branch} during each of {CONFLICTS_MAX} tries to update it: run again"
        raise GitError(msg)

    def catch_up(self, tries: int = 0) -> None:
        """Pull, and keep the changes of this run on top of the published statuses, for the next try to publish.

        After several tries, first pause (`push_turns`). Raises the errors of `pull`.
        """
        pause(self.turns.pause_s(tries))
        if self.pulls == 0:
            self.pull()  # the statuses on the disk are from an earlier run, and no request has been sent since
        elif not self._take_over_newest():
            self._rebase()

    def _take_over_newest(self) -> bool:
        """Take over a newer commit, of which only the changes are read. Return False if everything must be read."""
        tip = self._upstream.newer_tip() if self._is_apart and self._base is not None else None
        if tip is None or self._base is None or tip == self._base:
            return False  # if the commit is the same, something else must be wrong, such as a damaged object in it
        try:
            changed = self._reader.changed(self._base, tip)
        except GitError:
            return False  # an object is damaged
        self._take_over(tip, changed)
        return True

    def _rebase(self) -> None:
        """Pull, and read everything again. If that fails, the next try begins with the same statuses.

        Only statuses that another writer has changed are written, because workers may write others meanwhile.
        """
        base, before = self._base, self._published
        try:
            # A working tree is updated to the fetched commit, which discards what was not committed.
            found = self._files.read_all() if self.working_tree is not None else None
            is_newer = self._fetch()
            now = self._files.read_all()
            here = now if found is None else found
            under = now if is_newer else self._published
            self._files.replace_all(moved(here, before, self._published, under), now)
        except BaseException:
            self._base, self._published = base, before
            raise
        self._pulled(is_newer=is_newer)

    def _mark(self) -> None:
        # The mark is written only for a dedicated branch, because `pull` reads it only for such a branch.
        if not self.prefix and self._base is not None:
            self._files.mark(self._base)

    def _conflict(self) -> ConflictError:
        self._is_behind = True
        return ConflictError(f"the branch {self.branch} was changed by others")
