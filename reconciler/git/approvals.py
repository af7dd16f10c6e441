"""Read `Approve-Cancels: N` lines from commit messages. They approve changes that the guard would otherwise refuse.

A commit approves changes only if it meets all of these rules:

- It is in the first-parent history of the branch. This history contains merge and squash commits, but not the commits
  that a merge brings in.
- It changes specs and does not change a status.
- Its committer time is less than a day ago, and at most `AHEAD_MAX` in the future.

A commit approves changes only to the jobs whose desired state it was the last to change, while the specs still declare
that state. Therefore at most one commit approves a change to a job. A later commit that changes the Provider document
which a job names ends the approval of that job, because the same id may belong to another job at another server. The
order of commits is that of the history, because an author chooses the dates.

A commit at which the history of a shallow clone ends is ignored, because its parents are missing. A commit that cannot
be read is ignored too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import PurePosixPath

from reconciler.git.command import Git, GitError
from reconciler.git.commits import Commit, FileChange, read_changes, read_commits
from reconciler.git.committed_providers import not_committed
from reconciler.git.declared_specs import DeclaredSpecs, LaterChanges, Wanted, joined, read_specs, set_by, want_of
from reconciler.local.specs_walk import may_hold_specs
from reconciler.model.action import APPROVED_FOR, CommitApproval
from reconciler.model.kind import JobDocument
from reconciler.ports import Located, Now, Snapshot

AHEAD_MAX = timedelta(minutes=5)
"""How far a committer's clock may be ahead. Without it, a commit dated 2030 would approve changes until 2030."""
LISTED_MAX = 10_000
"""The maximum number of commits that are read, newest first. Older commits are ignored."""
COMMITS_MAX = 200
"""The maximum number of commits that are evaluated, newest first. Only commits that changed specs or statuses count."""
BYTES_MAX = 8 * 1024 * 1024
"""The maximum size in bytes of the specs that are parsed to compare commits. Parsing that much takes a few seconds."""
_LINE = re.compile(rb"^Approve-Cancels:[ \t]*([0-9]{1,6})[ \t\r]*$", re.MULTILINE)
_HAS_STATUS = "the commit also changes a status"
_MOVED = "a later commit changes the Provider document, or a file that was not read"
_NOT_COMMITTED = "the Provider document in the working tree differs from its commit"
_Listed = dict[str, tuple[int, tuple[str, ...]]]
"""The ids of commits, newest first, with their Unix times and parents."""
_LISTED = re.compile(r"([0-9]{1,11}) ([0-9a-f]{40,64})((?: [0-9a-f]{40,64})*)")


@dataclass(frozen=True, slots=True)
class Approving:
    """A commit with an `Approve-Cancels` line."""

    commit: str
    """The first twelve digits of the commit id."""
    made_at: datetime
    """The committer time."""
    count: int
    """The number in the line: how many changes the commit approves."""
    wants: Mapping[str, Wanted]
    """The desired states that the commit set and that no later commit changed, by spec name."""
    why_ignored: str | None = None
    """Why the line does not approve changes of these jobs, or None if it approves them."""


@dataclass(slots=True)
class ReadApprovals:
    """Reads the approvals in the commits of a repository, once for each revision.

    Args:
        git: the repository.
        specs: the path of the specs directory in the tree, with `/`. Empty for the root of the tree.
        statuses: the path of the status directory in the tree, or None if it is not in the repository.
        now: the wall clock.
    """

    git: Git
    specs: str
    statuses: str | None
    now: Now
    error: str | None = None
    """Why the commits could not be read, or None."""
    _revision: str | None = None
    _found: tuple[Approving, ...] = ()
    _read: dict[str, DeclaredSpecs] = field(default_factory=dict)

    def at(self, revision: str, found: Snapshot) -> tuple[CommitApproval, ...]:
        """Return the approvals, valid or ignored, for the jobs of a snapshot in the commits up to its revision.

        If the commits cannot be read, return no approvals and record the reason in `error`.
        """
        self.error = None
        try:
            if revision != self._revision:
                self._found, self._revision = (), None
                self._found, self._revision = tuple(self._approving(revision)), revision
            return in_force(self._checked(revision, found), found.jobs, self.now())
        except GitError as error:
            self.error = f"approvals in commits are ignored, because Git failed: {error}"
        except Exception as error:  # noqa: BLE001  a bug here must cost approvals only, not the pass
            self.error = f"approvals in commits are ignored, because of a bug ({type(error).__name__}): report it"
        return ()

    def _checked(self, revision: str, found: Snapshot) -> Iterator[Approving]:
        """Yield the commits. Jobs whose Provider document differs from its commit are split off, with that reason."""
        named = {wanted.provider for each in self._found for wanted in each.wants.values()}
        providers = [each for each in found.providers if each.document.metadata.name in named]
        foreign = not_committed(self.git, revision, self.specs, providers)
        for each in self._found:
            yield from _split(each, lambda wanted: wanted.provider in foreign, _NOT_COMMITTED)

    def _approving(self, revision: str) -> Iterator[Approving]:
        """Yield the commits of the last day that approve changes, newest first. Raises `GitError` if Git fails."""
        listed = self._listed(revision)
        counts = self._counts(listed)
        if not counts:
            self._read.clear()
            return
        changes = self._changes(listed, counts)
        self._parse([change for each in changes.values() for change in self._of_specs(each)])
        later = LaterChanges()
        for name, changed in changes.items():
            had, has = self._sides(self._of_specs(changed))
            if name in counts:
                wants = {spec: want for spec, want in set_by(had, has).items() if spec not in later.specs}
                why = _HAS_STATUS if any(self._is_status(each.path) for each in changed) else None
                made_at = datetime.fromtimestamp(listed[name][0], UTC)
                yield from _split(Approving(name[:12], made_at, counts[name], wants, why), later.moves, _MOVED)
            later.add(had, has)

    def _counts(self, listed: _Listed) -> dict[str, int]:
        """Return the number in the `Approve-Cancels` line of each commit of the last day that has one."""
        oldest = (self.now() - APPROVED_FOR).timestamp()
        messages = read_commits(self.git, [name for name, (at, _) in listed.items() if at >= oldest])
        return {each.name: count for each in messages if (count := _count(each, listed[each.name][1])) is not None}

    def _changes(self, listed: _Listed, counts: Container[str]) -> dict[str, Sequence[FileChange]]:
        """Return the changed files of each commit that changed specs or statuses, from the newest to the last approval.

        At most `COMMITS_MAX` commits are returned.
        """
        paths = (self.specs, *([self.statuses] if self.statuses is not None and self.specs else []))
        judged = _up_to_last(list(listed), counts)
        changes = read_changes(self.git, [" ".join((name, *listed[name][1][:1])) for name in judged], *paths)
        touching = _up_to_last([name for name in judged if name in changes][:COMMITS_MAX], counts)
        return {name: changes[name] for name in touching}

    def _listed(self, revision: str) -> _Listed:
        """Return the ids of the newest commits, newest first, with their Unix times and parents.

        Raises `GitError` if Git fails.
        """
        options = ("--first-parent", "--timestamp", "--parents", f"--max-count={LISTED_MAX}", "--end-of-options")
        output = self.git.text("rev-list", *options, revision)
        found = filter(None, (_LISTED.fullmatch(line) for line in output.splitlines()))
        return {each[2]: (int(each[1]), tuple(each[3].split())) for each in found}

    def _of_specs(self, changes: Iterable[FileChange]) -> list[FileChange]:
        """Return the changes to spec files."""
        return [each for each in changes if not self._is_status(each.path) and may_hold_specs(self._inside(each.path))]

    def _inside(self, path: str) -> str:
        return path.removeprefix(f"{self.specs}/") if self.specs else path

    def _is_status(self, path: str) -> bool:
        return self.statuses is not None and PurePosixPath(path).is_relative_to(self.statuses)

    def _parse(self, changes: Sequence[FileChange]) -> None:
        """Parse both versions of each changed file, at most `BYTES_MAX` bytes in total, and forget all other files."""
        names = dict.fromkeys(name for each in changes for name in (each.after, each.before) if name is not None)
        sizes = self.git.sizes([name for name in names if name not in self._read])
        wanted = _affordable(sizes)
        blobs = zip(wanted, self.git.read_blobs(wanted) if wanted else (), strict=True)
        known = {name: read_specs(data) for name, data in blobs}
        self._read = {name: read for name in names if (read := self._read.get(name) or known.get(name)) is not None}

    def _sides(self, changes: Sequence[FileChange]) -> tuple[DeclaredSpecs, DeclaredSpecs]:
        """Return the documents in the changed files, before and after a commit."""
        before, after = (
            joined(self._read.get(name) for each in changes if (name := getattr(each, side)) is not None)
            for side in ("before", "after")
        )
        return before, after


def in_force(
    found: Iterable[Approving], jobs: Iterable[Located[JobDocument]], now: datetime
) -> tuple[CommitApproval, ...]:
    """Return the approvals that are valid at `now`, and those that would be valid if they were not ignored.

    The commit must be less than a day old and at most `AHEAD_MAX` in the future, and a spec in `jobs` must still
    declare the desired state that the commit set.
    """
    today = {each.document.metadata.name: want_of(each.document) for each in jobs}
    return tuple(
        CommitApproval(each.commit, each.made_at, each.count, names, each.why_ignored)
        for each in found
        if -AHEAD_MAX <= now - each.made_at < APPROVED_FOR
        and (names := frozenset(name for name, wanted in each.wants.items() if today.get(name) == wanted))
    )


def _split(commit: Approving, is_ignored: Callable[[Wanted], bool], why: str) -> Iterator[Approving]:
    """Yield the commit without the jobs for which it is ignored, and then with these and the reason."""
    ignored = {name: wanted for name, wanted in commit.wants.items() if is_ignored(wanted)}
    yield replace(commit, wants={name: wanted for name, wanted in commit.wants.items() if name not in ignored})
    if ignored:
        yield replace(commit, wants=ignored, why_ignored=commit.why_ignored or why)


def _affordable(sizes: Mapping[str, int]) -> list[str]:
    """Return the first names, as many as have at most `BYTES_MAX` bytes in total."""
    return [name for name, total in zip(sizes, accumulate(sizes.values()), strict=True) if total <= BYTES_MAX]


def _count(commit: Commit, parents: tuple[str, ...]) -> int | None:
    """Return the number in the last `Approve-Cancels` line of a commit's message.

    Return None if the message cannot be read or has no such line, or if the history of a shallow clone ends at the
    commit. Such a commit seems to have created every spec. It is recognised because `rev-list` reports other parents
    than the commit.
    """
    lines = _LINE.findall(commit.message or b"")
    return int(lines[-1]) if lines and commit.parents == parents else None


def _up_to_last(names: Sequence[str], counts: Container[str]) -> Sequence[str]:
    """Return the names up to the last name in `counts`."""
    return names[: 1 + max((at for at, name in enumerate(names) if name in counts), default=-1)]
