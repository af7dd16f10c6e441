"""Statuses as commits: on the specs' own branch, or on a branch that holds nothing else.

Rules: nothing is forced, no history is rewritten, no file but a status is touched; the working tree's index and the
user's configuration stay out of it; a commit is made only where the tree differs. A push that is refused is
`ConflictError`: somebody else was there first, and what was decided must be decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import ConflictError
from reconciler.formats.status_merge import merge_statuses
from reconciler.formats.status_parser import as_written, is_status_file
from reconciler.git.author import Author
from reconciler.git.command import FETCHED_MAX, Git, GitError
from reconciler.git.commit_maker import make_commit
from reconciler.git.commit_tree import TreeListing, list_tree
from reconciler.git.working_tree import WorkingTree
from reconciler.local.disk import LocalDisk
from reconciler.local.status_walk import STATUS_MAX_BYTES as STATUS_MAX
from reconciler.local.status_walk import is_gone, is_never_ours, walk
from reconciler.redaction import KNOWN_SECRETS

TRIES = 5
MARK = ".commit"
"""The file beside statuses of a branch of their own that says which commit of it they are, or came from."""


@dataclass(slots=True)
class StatusBranch:
    """A branch that statuses are published on.

    Args:
        git: a repository.
        branch: the branch's name.
        prefix: where in the branch's tree the statuses stand; empty for a branch that holds nothing else.
        directory: where they stand on the disk.
        remote: where it is pushed to; None keeps it here.
        signature: who commits.
        trailers: lines at the end of each message.
        shown: the working tree that shows this very branch, and has to follow it; None where none does.
        read_again: what else is to be fetched when somebody else was first.
        renew: makes the repository anew where something in it is torn; None where it is not ours to do so.
        specs: a revision of the specs, whose history the branch must have no part of; None where it is their own.
        fetching: how the branch is fetched, besides the usual.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    remote: str | None
    signature: Author
    trailers: tuple[str, ...] = ()
    shown: WorkingTree | None = None
    read_again: Callable[[], object] | None = None
    renew: Callable[[], object] | None = None
    specs: str | None = None
    fetching: tuple[str, ...] = ()
    pulls: int = 0
    """How often what is published has taken the place of what was here."""
    _base: str | None = None
    """The commit that the statuses on the disk were last equal to."""
    _published: dict[str, bytes] = field(default_factory=dict)
    _is_behind: bool = True

    def pull(self) -> None:
        """Put the statuses that are published in the place of those on the disk. Raises `GitError`.

        A receipt that stands on the disk only, after a crash or a run that did not publish, is not lost by that.
        """
        found = {} if self.pulls else dict(self._all_files_here())
        self._base = self._tip()
        if self.pulls == 0:
            self._stay_apart()
        if self.shown is not None:
            self.shown.follow(self._base, dict(self._all_files_here()))
            self.shown.take_in()
        if self.read_again is not None:
            self.read_again()
        here = dict(self._all_files_here())
        try:
            self._published = dict(self._files_of(self._base))
        except GitError as error:
            if self.renew is None or error.code is None:
                raise
            self.renew()
            self._base = self._tip()
            self._published = dict(self._files_of(self._base))
        self._is_behind = False
        self.pulls += 1
        if self.remote is None and (self.prefix or self._marked() == self._base):
            return  # nobody else published here meanwhile, so what is on the disk is newer
        wanted = {**self._published, **dict(self._carried_over(found))}
        for path in here.keys() - wanted.keys():
            (self.directory / path).unlink(missing_ok=True)
        for path, data in wanted.items():
            if here.get(path) != data:
                self._put(path, data)
        self._mark()

    def _carried_over(self, found: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
        """Yield the statuses that tell of a request which the published ones do not tell of."""
        for path, data in found.items():
            theirs = self._published.get(path)
            merged = data if data == theirs else merge_statuses(None, data, theirs)
            if merged is not None:
                yield path, merged

    def _stay_apart(self) -> None:
        if self.specs is None or self._base is None:
            return
        if self.git.find("merge-base", "--end-of-options", self.specs, self._base) is not None:
            msg = f"the branch {self.branch} is one of specs: name one that holds nothing but statuses"
            raise GitError(msg)

    def publish(self, message: str) -> str | None:
        """Commit what changed since the last time, and push it. Returns the commit, or None if nothing changed.

        Raises `ConflictError` where the branch has moved on, and `GitError`.
        """
        if self._is_behind:
            raise self._overtaken()
        if self.shown is not None:
            self.shown.take_in()
        here = dict(self._files_here())
        if here == self._published:
            return None
        if self.shown is not None and self.shown.has_strayed():
            msg = f"the checkout is no longer on the branch {self.branch}"
            raise GitError(msg)
        try:
            commit = self._commit(self._base, here, message)
        except GitError:
            self._is_behind = True  # what it was to stand on may be torn: it is fetched again
            raise
        if self.remote is not None:
            self._push(commit)
        else:
            self._move(commit)
        self._base, self._published = commit, here
        self._mark()
        if self.shown is not None:
            if self.remote is not None:
                self.shown.move_along(commit)
            self.shown.take_in()
        return commit

    def publish_on_top(self, message: str) -> str | None:
        """Publish what changed on top of whatever is there by now: for what has happened, and must not be lost.

        A status that somebody else changed too is what `merge_statuses` makes of both. Raises `GitError`.
        """
        for _ in range(TRIES):
            if self.pulls == 0:
                self.pull()  # what stands here is of another time, and nothing was asked since
            elif self._is_behind:
                self._rebase()
            try:
                return self.publish(message)
            except ConflictError:
                continue
        msg = f"the branch {self.branch} could not be pushed to in {TRIES} tries: others push without a pause"
        raise GitError(msg)

    def _rebase(self) -> None:
        here, before = dict(self._all_files_here()), self._published
        self.pull()
        ours = {path: data for path, data in here.items() if before.get(path) != data}
        for path, data in ours.items():
            theirs = self._published.get(path)
            merged = data if theirs == before.get(path) else merge_statuses(before.get(path), data, theirs)
            if merged not in (None, theirs):
                self._put(path, merged)
        for path in before.keys() - here.keys():
            if self._published.get(path) == before[path]:
                (self.directory / path).unlink(missing_ok=True)

    def _marked(self) -> str | None:
        """Return the commit that the statuses on this disk came from, where they stand by themselves."""
        mark = self.directory / MARK
        return mark.read_text(encoding="ascii").strip() if mark.exists() else None

    def _mark(self) -> None:
        if not self.prefix and self._base is not None:
            self._put(MARK, f"{self._base}\n".encode())

    @property
    def _disk(self) -> LocalDisk:
        return LocalDisk(self.directory, follows_links=False, read_max_bytes=STATUS_MAX)

    def _put(self, path: str, data: bytes) -> None:
        target = self.directory / path
        self._disk.rename(self._disk.write_beside(target, data), target)

    def _tip(self) -> str | None:
        if self.remote is None:
            return self.git.find("rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}")
        listed = self.git.text("ls-remote", "--", self.remote, f"refs/heads/{self.branch}")
        if not listed:
            return None
        # A ref of our own, for FETCH_HEAD belongs to whoever fetches last.
        kept = f"refs/reconcile/{self.branch}"
        wanted = f"+refs/heads/{self.branch}:{kept}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", *self.fetching)
        self.git.run("fetch", *options, "--", self.remote, wanted, file_max=FETCHED_MAX)
        return self.git.text("rev-parse", "--verify", kept)

    def _files_of(self, commit: str | None) -> Iterator[tuple[str, bytes]]:
        if commit is None:
            return
        found = [each for each in list_tree(self.git, commit, self.prefix) if _can_be_ours(each)]
        contents = self.git.read_blobs([each.name for each in found])
        pairs = zip(found, contents, strict=True)
        yield from ((self._inside(each.path), data) for each, data in pairs if is_status_file(data))

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def _files_here(self) -> Iterator[tuple[str, bytes]]:
        """Yield the statuses on the disk. What cannot be read now is taken for what is published: it did not change."""
        found, hidden = self._read_here()
        yield from found.items()
        kept = {path: data for path, data in self._published.items() if path.startswith(tuple(hidden))}
        yield from kept.items()

    def _all_files_here(self) -> Iterator[tuple[str, bytes]]:
        """Yield the statuses on the disk, where something is to take their place. Raises OSError for an unread one."""
        found, hidden = self._read_here()
        for path, error in hidden.items():
            raise OSError(error.errno, f"{error.strerror}; it is not overwritten", str(self.directory / path))
        yield from found.items()

    def _read_here(self) -> tuple[dict[str, bytes], dict[str, OSError]]:
        """Return the statuses on the disk, and what could not be read; a directory's path ends with `/`."""
        walked = walk(self._disk, self.directory)
        found: dict[str, bytes] = {}
        hidden = walked.refused
        for path, _ in walked.files:
            try:
                data = self._disk.read(self.directory / path)
            except OSError as error:
                if not (is_gone(error) or is_never_ours(error)):
                    hidden[path] = error
                continue
            if is_status_file(written := as_written(data)):
                found[path] = written
        return found, hidden

    def _commit(self, parent: str | None, files: Mapping[str, bytes], message: str) -> str:
        gone = {self._outside(path): None for path in self._published if path not in files}
        changed = {path: data for path, data in files.items() if self._published.get(path) != data}
        changes = {**gone, **{self._outside(path): data for path, data in changed.items()}}
        trailers = "\n".join(self.trailers)
        # GitHub reads the last paragraph as trailers.
        text = KNOWN_SECRETS.redact("\n\n\n".join(part for part in (message, trailers) if part))
        return make_commit(self.git, parent, changes, f"{text}\n", self.signature)

    def _outside(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _push(self, commit: str) -> None:
        remote = self.remote or ""
        try:
            wanted = f"{commit}:refs/heads/{self.branch}"
            told = self.git.text("push", "--porcelain", "--no-verify", "--", remote, wanted)
        except GitError:
            if self._tip() == self._base:
                raise
            raise self._overtaken() from None
        if any(line.startswith("=\t") for line in told.splitlines()):
            # It was there already: another run decided the same in the same second, so its commit has the same name.
            raise self._overtaken()

    def _move(self, commit: str) -> None:
        """Let the local branch be this commit."""
        try:
            if self.shown is not None:
                self.shown.move(commit, self._base)
            else:
                self.git.run("update-ref", "-m", "reconcile", f"refs/heads/{self.branch}", commit, self._base or "")
        except GitError:
            if self._tip() == self._base:
                raise
            raise self._overtaken() from None

    def _overtaken(self) -> ConflictError:
        self._is_behind = True
        return ConflictError(f"the branch {self.branch} has moved on")


def _can_be_ours(listed: TreeListing) -> bool:
    """Whether an entry of a tree can be a status of ours. What leads elsewhere, or is huge, is somebody else's."""
    is_plain = listed.mode == "100644" and listed.size is not None and listed.size <= STATUS_MAX
    path = listed.path
    return is_plain and path.isprintable() and ".." not in path.split("/") and _is_status(path)


def _is_status(path: str) -> bool:
    return path.endswith(".yaml") and not path.rpartition("/")[2].startswith(".")
