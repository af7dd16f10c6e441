"""Publish statuses as commits, on the branch of the specs or on a dedicated branch.

Rules: history is never rewritten, and a commit changes only statuses. A commit is made only if a status has changed,
and without the user's index. If a push is refused because another writer published first, `ConflictError` is raised.
`changes` then says after a pull which statuses changed, and the decisions that are based on them must be made again.

Theory: the statuses on the disk are the working copy. `_published` contains the statuses in the commit `_base`. The two
are compared byte by byte. `pull` replaces the working copy with the published statuses. The first pull keeps receipts
that exist only in the working copy. `publish` commits the difference on top of `_base`. `catch_up` moves the difference
onto a newer `_base`, as a rebase does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import ConflictError
from reconciler.formats.status_changes import changed_statuses
from reconciler.formats.status_merge import carried_over
from reconciler.git.author import Author
from reconciler.git.change_log import ChangeLog
from reconciler.git.command import FETCH_MAX, Git, GitError
from reconciler.git.commit_maker import make_commit
from reconciler.git.published_statuses import PublishedStatuses
from reconciler.git.push_tries import TRIES, pause
from reconciler.git.status_files import StatusFiles
from reconciler.git.working_tree import WorkingTree
from reconciler.redaction import KNOWN_SECRETS


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
        refetch: a function that fetches the specs again. It is called in each pull. None if the specs are not fetched.
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
    """The commit that was last pulled or published. None if there is no such commit, or if the branch has no commit
    yet.
    """
    _published: dict[str, bytes] = field(default_factory=dict)
    """The statuses in the commit `_base`."""
    _is_behind: bool = True
    """Whether a pull is needed before a publication: before the first pull, and once the branch has moved."""
    _reader: PublishedStatuses = field(init=False)

    def __post_init__(self) -> None:
        """Create the reader of published statuses."""
        self._reader = PublishedStatuses(self.git, self.prefix)

    def pull(self) -> None:
        """Replace the statuses on the disk with the published statuses.

        The first pull keeps receipts that exist only on the disk, for example after a crash or a run that did not
        publish. Without a remote, the statuses on the disk stay unchanged, unless another process has moved a dedicated
        branch. Raises `GitError` or `OSError` if the branch or a file cannot be read or updated, and `GitError` if a
        dedicated branch shares commits with the specs.
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
        self._base = self._tip()
        if self.pulls == 0:
            self._check_separate()
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
            self._base = self._tip()
            self._published = self._reader.read(self._base)

    def _check_separate(self) -> None:
        if self.specs is None or self._base is None:
            return
        if self.git.find("merge-base", "--end-of-options", self.specs, self._base) is not None:
            msg = f"the branch {self.branch} shares commits with the specs: name a branch for statuses only"
            raise GitError(msg)

    def publish(self, message: str) -> str | None:
        """Commit and push the statuses that differ from the published statuses, and return the commit.

        Return None if no status differs.

        Raises `ConflictError` if a pull is needed first, for example because another writer has moved the branch.
        Raises `GitError` or `OSError` if Git or the disk fails, and `GitError` if another branch has been checked out.
        """
        if self._is_behind:
            raise self._conflict()
        if self.working_tree is not None:
            self.working_tree.update_index()
        here = self._current()
        if here == self._published:
            return None
        if self.working_tree is not None and self.working_tree.is_on_other_branch():
            msg = f"the checkout is no longer on the branch {self.branch}: check it out again, or restart reconcile"
            raise GitError(msg)
        try:
            commit = self._commit(self._base, here, message)
        except GitError:
            self._is_behind = True  # the parent commit may be damaged, so the next pull fetches it again
            raise
        if self.remote is not None:
            self._push(commit)
        else:
            self._move(commit)
        self._base, self._published = commit, here
        self._mark()
        if self.working_tree is not None:
            if self.remote is not None:
                self.working_tree.advance(commit)
            self.working_tree.update_index()
        return commit

    def publish_on_top(self, message: str) -> str | None:
        """Publish the changes on top of the newest commit, for outcomes that must not be lost in a conflict.

        Return the commit, or None if no status differs from the published status. If another writer has also changed a
        status, both versions are merged (`carried_over`). Raises the errors of `pull` and `publish` except
        `ConflictError`, and `GitError` if other writers keep pushing.
        """
        for number in range(TRIES):
            if self._is_behind:
                self.catch_up(number)
            try:
                return self.publish(message)
            except ConflictError:
                continue
        msg = f"the branch {self.branch} was changed by others during each of {TRIES} tries to update it: run again"
        raise GitError(msg)

    def catch_up(self, tries: int = 0) -> None:
        """Pull, and keep the changes of this run on top of the published statuses, for the next try to publish.

        After several tries, first pause (`push_tries`). Raises the errors of `pull`.
        """
        pause(tries)
        if self.pulls == 0:
            self.pull()  # the statuses on the disk are from an earlier run, and no request has been sent since
        else:
            self._rebase()

    def _rebase(self) -> None:
        """Pull. Only statuses that another writer has changed are written, because workers may write others meanwhile.

        If that fails, the next try begins with the same statuses.
        """
        base, before = self._base, self._published
        try:
            # A working tree is updated to the fetched commit, which discards what was not committed.
            found = self._files.read_all() if self.working_tree is not None else None
            is_newer = self._fetch()
            now = self._files.read_all()
            here = now if found is None else found
            gone = {path for path in before.keys() - here.keys() if self._published.get(path) == before[path]}
            wanted = {**(now if is_newer else self._published), **carried_over(here, self._published, before)}
            self._files.replace_all({path: data for path, data in wanted.items() if path not in gone}, now)
        except BaseException:
            self._base, self._published = base, before
            raise
        self._pulled(is_newer=is_newer)

    def _mark(self) -> None:
        # The mark is written only for a dedicated branch, because `pull` reads it only for such a branch.
        if not self.prefix and self._base is not None:
            self._files.mark(self._base)

    @property
    def _files(self) -> StatusFiles:
        return StatusFiles(self.directory)

    def _tip(self) -> str | None:
        if self.remote is None:
            return self.git.find("rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}")
        listed = self.git.text("ls-remote", "--", self.remote, f"refs/heads/{self.branch}")
        if not listed:
            return None
        # A separate ref is used, because any other fetch would overwrite FETCH_HEAD.
        wanted = f"+refs/heads/{self.branch}:{self._kept}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", *self.fetch_options)
        self.git.run("fetch", *options, "--", self.remote, wanted, file_max=FETCH_MAX)
        return self.git.text("rev-parse", "--verify", self._kept)

    @property
    def _kept(self) -> str:
        """The ref that keeps the newest commit of the branch in this repository."""
        return f"refs/reconcile-statuses/{self.branch}"

    def _current(self) -> dict[str, bytes]:
        """Return the statuses on the disk. For a status that cannot be read, return its published version."""
        found, unread = self._files.read()
        return found | {path: data for path, data in self._published.items() if path.startswith(tuple(unread))}

    def _commit(self, parent: str | None, files: Mapping[str, bytes], message: str) -> str:
        gone = {self._outside(path): None for path in self._published if path not in files}
        changed = {path: data for path, data in files.items() if self._published.get(path) != data}
        changes = {**gone, **{self._outside(path): data for path, data in changed.items()}}
        trailers = "\n".join(self.trailers)
        # GitHub reads the last paragraph as trailers.
        text = KNOWN_SECRETS.redact("\n\n\n".join(part for part in (message, trailers) if part))
        return make_commit(self.git, parent, changes, f"{text}\n", self.author)

    def _outside(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _push(self, commit: str) -> None:
        remote = self.remote or ""
        try:
            wanted = f"{commit}:refs/heads/{self.branch}"
            output = self.git.text("push", "--porcelain", "--no-verify", "--", remote, wanted)
        except GitError:
            if self._tip() == self._base:
                raise
            raise self._conflict() from None
        if any(line.startswith("=\t") for line in output.splitlines()):
            # The remote already had this commit: another run made the same decisions in the same second, so its
            # commit has the same id.
            raise self._conflict()
        with suppress(GitError):  # the commit is published, and the next push sets the ref
            # Without a ref, Git can neither pack nor remove the commits of a watch, and tries to do so at each fetch.
            self.git.run("update-ref", self._kept, commit)

    def _move(self, commit: str) -> None:
        """Move the local branch to a commit."""
        try:
            if self.working_tree is not None:
                self.working_tree.move(commit, self._base)
            else:
                self.git.run("update-ref", "-m", "reconcile", f"refs/heads/{self.branch}", commit, self._base or "")
        except GitError:
            if self._tip() == self._base:
                raise
            raise self._conflict() from None

    def _conflict(self) -> ConflictError:
        self._is_behind = True
        return ConflictError(f"the branch {self.branch} was changed by others")
