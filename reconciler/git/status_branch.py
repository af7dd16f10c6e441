"""Statuses as commits: on the specs' own branch, or on a branch that holds nothing else.

Rules: nothing is forced, no history is rewritten, no file but a status is touched; the working tree's index and the
user's configuration stay out of it; a commit is made only where the tree differs. A push that is refused is
`Overtaken`: somebody else was there first, and what was decided must be decided again.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.errors import Overtaken
from reconciler.formats.status_merge import merge
from reconciler.formats.status_parser import is_ours
from reconciler.git.author import Signature
from reconciler.git.command import FETCHED_MAX, Git, GitError
from reconciler.git.commit_tree import Listed, list_tree

STATUS_MAX = 1024 * 1024
TRIES = 5
MARK = ".commit"
"""The file beside statuses of a branch of their own that says which commit of it they are, or came from."""
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"


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
        is_checked_out: whether a working tree shows this very branch, and has to follow it.
        read_again: what else is to be fetched when somebody else was first.
        specs: a revision of the specs, whose history the branch must have no part of; None where it is their own.
        fetching: how the branch is fetched, besides the usual.
    """

    git: Git
    branch: str
    prefix: str
    directory: Path
    remote: str | None
    signature: Signature
    trailers: tuple[str, ...] = ()
    is_checked_out: bool = False
    read_again: Callable[[], object] | None = None
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
        found = {} if self.pulls else dict(self._files_here())
        self._base = self._tip()
        if self.pulls == 0:
            self._stay_apart()
        self._follow()
        if self.read_again is not None:
            self.read_again()
        self._published, self._is_behind = dict(self._files_of(self._base)), False
        self.pulls += 1
        if self.remote is None and (self.prefix or self._marked() == self._base):
            return  # nobody else published here meanwhile, so what is on the disk is newer
        here = dict(self._files_here())
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
            merged = data if data == theirs else merge(None, data, theirs)
            if merged is not None:
                yield path, merged

    def _stay_apart(self) -> None:
        if self.specs is None or self._base is None:
            return
        if self.git.find("merge-base", self.specs, self._base) is not None:
            msg = f"the branch {self.branch} is one of specs: name one that holds nothing but statuses"
            raise GitError(msg)

    def publish(self, message: str) -> str | None:
        """Commit what changed since the last time, and push it. Returns the commit, or None if nothing changed.

        Raises `Overtaken` where the branch has moved on, and `GitError`.
        """
        if self._is_behind:
            raise self._overtaken()
        here = dict(self._files_here())
        if here == self._published:
            return None
        if self._has_strayed():
            msg = f"the checkout is no longer on the branch {self.branch}"
            raise GitError(msg)
        commit = self._commit(self._base, here, message)
        if self.remote is not None:
            self._push(commit)
        self._move(commit)
        self._base, self._published = commit, here
        self._mark()
        return commit

    def publish_on_top(self, message: str) -> str | None:
        """Publish what changed on top of whatever is there by now: for what has happened, and must not be lost.

        A status that somebody else changed too is what `merge` makes of both. Raises `GitError`.
        """
        for _ in range(TRIES):
            if self.pulls == 0:
                self.pull()  # what stands here is of another time, and nothing was asked since
            elif self._is_behind:
                self._rebase()
            try:
                return self.publish(message)
            except Overtaken:
                continue
        msg = f"the branch {self.branch} could not be pushed to in {TRIES} tries: others push without a pause"
        raise GitError(msg)

    def _rebase(self) -> None:
        here, before = dict(self._files_here()), self._published
        self.pull()
        ours = {path: data for path, data in here.items() if before.get(path) != data}
        for path, data in ours.items():
            theirs = self._published.get(path)
            merged = data if theirs == before.get(path) else merge(before.get(path), data, theirs)
            if merged not in (None, theirs):
                self._put(path, merged)
        for path in before.keys() - here.keys():
            if self._published.get(path) == before[path]:
                (self.directory / path).unlink(missing_ok=True)

    def _has_strayed(self) -> bool:
        """Whether the working tree shows another branch by now, which is not to get statuses of this one."""
        shown = self.git.find("symbolic-ref", "--short", "--quiet", "HEAD") if self.is_checked_out else None
        return shown not in (None, self.branch)

    def _marked(self) -> str | None:
        """Return the commit that the statuses on this disk came from, where they stand by themselves."""
        mark = self.directory / MARK
        return mark.read_text(encoding="ascii").strip() if mark.exists() else None

    def _mark(self) -> None:
        if not self.prefix and self._base is not None:
            self._put(MARK, f"{self._base}\n".encode())

    def _put(self, path: str, data: bytes) -> None:
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def _follow(self) -> None:
        """Let the working tree, where it is of this very branch, have the specs of the commit that was fetched."""
        if not self.is_checked_out or self._base is None or self._base == self.git.find("rev-parse", "HEAD"):
            return
        self.git.find("checkout", "--quiet", "HEAD", "--", self.prefix)
        for path, _ in list(self._files_here()):
            if self.git.find("cat-file", "-e", f"HEAD:{self._outside(path)}") is None:
                (self.directory / path).unlink()
        if self.git.find("merge", "--quiet", "--ff-only", "--no-edit", self._base) is None:
            msg = f"the checkout cannot follow {self.branch}: commit or stash what is changed in it, or merge it first"
            raise GitError(msg)

    def _tip(self) -> str | None:
        if self.remote is None:
            return self.git.find("rev-parse", "--verify", "--quiet", f"refs/heads/{self.branch}")
        listed = self.git.text("ls-remote", self.remote, f"refs/heads/{self.branch}")
        if not listed:
            return None
        # A ref of our own, for FETCH_HEAD belongs to whoever fetches last.
        kept = f"refs/reconcile/{self.branch}"
        wanted = f"+refs/heads/{self.branch}:{kept}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", *self.fetching)
        self.git.run("fetch", *options, self.remote, wanted, file_max=FETCHED_MAX)
        return self.git.text("rev-parse", "--verify", kept)

    def _files_of(self, commit: str | None) -> Iterator[tuple[str, bytes]]:
        if commit is None:
            return
        found = [each for each in list_tree(self.git, commit, self.prefix) if _can_be_ours(each)]
        contents = self.git.read_blobs([each.name for each in found])
        pairs = zip(found, contents, strict=True)
        yield from ((self._inside(each.path), data) for each, data in pairs if is_ours(data))

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.prefix}/") if self.prefix else path

    def _files_here(self) -> Iterator[tuple[str, bytes]]:
        if not self.directory.is_dir():
            return
        for path in sorted(self.directory.rglob("*.yaml")):
            if not path.is_file() or path.is_symlink() or not _is_status(path.name):
                continue
            data = path.read_bytes()
            if is_ours(data):
                yield path.relative_to(self.directory).as_posix(), data

    def _commit(self, parent: str | None, files: Mapping[str, bytes], message: str) -> str:
        with _index() as index:
            self.git.run("read-tree", parent or _EMPTY_TREE, more=index)
            stale = [path for path in self._published if path not in files]
            lines = [f"0 {'0' * 40}\t{self._outside(path)}" for path in stale]
            fresh = [path for path, data in files.items() if self._published.get(path) != data]
            paths = "".join(f"{(self.directory / path).resolve()}\n" for path in fresh)
            blobs = self.git.text("hash-object", "-w", "--no-filters", "--stdin-paths", data=paths.encode()).split()
            lines += [f"100644 {blob}\t{self._outside(path)}" for path, blob in zip(fresh, blobs, strict=True)]
            listing = "".join(f"{line}\0" for line in lines).encode("utf-8", "surrogateescape")
            self.git.run("update-index", "-z", "--index-info", data=listing, more=index)
            tree = self.git.text("write-tree", "--missing-ok", more=index)
        text = "\n\n\n".join(part for part in (message, "\n".join(self.trailers)) if part)  # as GitHub wants trailers
        parents = ["-p", parent] if parent else []
        made = self.git.run(
            "commit-tree", tree, *parents, "-F", "-", data=f"{text}\n".encode(), more=self.signature.environment()
        )
        return made.decode().strip()

    def _outside(self, path: str) -> str:
        return f"{self.prefix}/{path}" if self.prefix else path

    def _push(self, commit: str) -> None:
        remote = self.remote or ""
        try:
            told = self.git.text("push", "--porcelain", "--no-verify", remote, f"{commit}:refs/heads/{self.branch}")
        except GitError:
            if self._tip() == self._base:
                raise
            raise self._overtaken() from None
        if any(line.startswith("=\t") for line in told.splitlines()):
            # It was there already: another run decided the same in the same second, so its commit has the same name.
            raise self._overtaken()

    def _move(self, commit: str) -> None:
        """Let the local branch be this commit, where it has nothing of its own, and the index of its working tree."""
        ref = f"refs/heads/{self.branch}"
        if self.remote is None or (self.is_checked_out and self.git.find("rev-parse", ref) == self._base):
            try:
                self.git.run("update-ref", "-m", "reconcile", ref, commit, self._base or "0" * 40)
            except GitError:
                raise self._overtaken() from None
        if self.is_checked_out and self.git.find("symbolic-ref", "--quiet", "HEAD") == ref:
            self.git.run("reset", "--quiet", "--", self.prefix)

    def _overtaken(self) -> Overtaken:
        self._is_behind = True
        return Overtaken(f"the branch {self.branch} has moved on")


def _can_be_ours(listed: Listed) -> bool:
    """Whether an entry of a tree can be a status of ours. What leads elsewhere, or is huge, is somebody else's."""
    is_plain = listed.mode == "100644" and listed.size is not None and listed.size <= STATUS_MAX
    path = listed.path
    return is_plain and path.isprintable() and ".." not in path.split("/") and _is_status(path)


def _is_status(path: str) -> bool:
    return path.endswith(".yaml") and not path.rpartition("/")[2].startswith(".")


@contextmanager
def _index() -> Iterator[Mapping[str, str]]:
    """Give Git an index of its own, so that the user's is left alone."""
    with tempfile.TemporaryDirectory(prefix="reconcile-") as directory:
        yield {"GIT_INDEX_FILE": str(Path(directory) / "index")}
