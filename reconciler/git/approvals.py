"""Read `Approve-Cancels: N` lines from commit messages. They approve changes that the guard would otherwise refuse.

A commit approves changes only if it meets all of these rules:

- It is in the first-parent history of the branch, as merge and squash commits are. The commits that a merge brings in
  are not.
- It changes specs and does not change a status.
- Its committer time is less than a day ago, and at most `AHEAD_MAX` in the future.

It approves changes only to the jobs whose desired state it was the last to change, while the specs still declare that
state. Therefore at most one commit approves a change to a job.

A commit at which the history of a shallow clone ends is ignored, because its parents are missing. A commit that cannot
be read is ignored too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from reconciler.formats.spec_parser import read_documents
from reconciler.git.command import Git, GitError
from reconciler.git.commits import Commit, FileChange, read_changes, read_commits
from reconciler.local.specs_walk import may_hold_specs
from reconciler.model.action import APPROVED_FOR, CommitApproval
from reconciler.model.kind import JobDocument
from reconciler.ports import Located, Now, Snapshot

AHEAD_MAX = timedelta(minutes=5)
"""How far a committer's clock may be ahead. Without a limit, a commit dated 2030 would stay valid until then."""
LISTED_MAX = 10_000
"""The maximum number of commits that are read, newest first. Older commits are ignored."""
COMMITS_MAX = 200
"""The maximum number of commits that are evaluated, newest first. Only commits that changed specs or statuses count."""
BYTES_MAX = 8 * 1024 * 1024
"""The maximum size in bytes of the specs that are parsed to compare commits. Parsing that much takes a few seconds."""
_LINE = re.compile(rb"^Approve-Cancels:[ \t]*([0-9]{1,6})[ \t\r]*$", re.MULTILINE)
_LISTED = re.compile(r"([0-9]{1,11}) ([0-9a-f]{40,64})((?: [0-9a-f]{40,64})*)")

Wanted = tuple[object, ...]
"""The fields of a spec that identify its job, or decide which changes are requested for it."""


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
    _read: dict[str, _Specs] = field(default_factory=dict)

    def at(self, revision: str, jobs: Iterable[Located[JobDocument]]) -> tuple[CommitApproval, ...]:
        """Return the approvals for these jobs in the commits up to a revision.

        If the commits cannot be read, return no approvals and record the reason in `error`.
        """
        if revision != self._revision:
            self._found, self._revision, self.error = (), None, None
            try:
                self._found, self._revision = tuple(self._approving(revision)), revision
            except GitError as error:
                self.error = f"approvals in commits are ignored, because Git failed: {error}"
            except Exception as error:  # noqa: BLE001  a bug here must cost approvals only, not the pass
                self.error = f"approvals in commits are ignored, because of a bug ({type(error).__name__}): report it"
        return in_force(self._found, jobs, self.now())

    def _approving(self, revision: str) -> Iterator[Approving]:
        """Yield the commits of the last day that approve changes, newest first. Raises `GitError` if Git fails."""
        listed = self._listed(revision)
        messages = read_commits(self.git, list(listed))
        counts = {each.name: count for each in messages if (count := _count(each, listed[each.name][1])) is not None}
        if not counts:
            self._read.clear()
            return
        paths = (self.specs, *([self.statuses] if self.statuses is not None and self.specs else []))
        changes = read_changes(self.git, [" ".join((name, *of[1][:1])) for name, of in listed.items()], *paths)
        touching = [name for name in listed if name in changes][:COMMITS_MAX]
        last = max((at for at, name in enumerate(touching) if name in counts), default=-1)
        self._parse([change for name in touching[: last + 1] for change in self._of_specs(changes[name])])
        decided: set[str] = set()
        for name in touching[: last + 1]:
            wants, changed = self._wants(self._of_specs(changes[name]))
            if name in counts and not any(self._is_status(each.path) for each in changes[name]):
                still = {spec: wanted for spec, wanted in wants.items() if spec not in decided}
                yield Approving(name[:12], datetime.fromtimestamp(listed[name][0], UTC), counts[name], still)
            decided |= changed

    def _listed(self, revision: str) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Return the ids of the commits of the last day, newest first, with their Unix times and parents.

        Raises `GitError` if Git fails.
        """
        options = ("--first-parent", "--timestamp", "--parents", f"--max-count={LISTED_MAX}", "--end-of-options")
        output = self.git.text("rev-list", *options, revision)
        found = filter(None, (_LISTED.fullmatch(line) for line in output.splitlines()))
        oldest = (self.now() - APPROVED_FOR).timestamp()
        return {each[2]: (int(each[1]), tuple(each[3].split())) for each in found if int(each[1]) >= oldest}

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
        budget, wanted = BYTES_MAX, []
        for name, size in sizes.items():
            budget -= size
            if budget >= 0:
                wanted.append(name)
        blobs = zip(wanted, self.git.read_blobs(wanted) if wanted else (), strict=True)
        known = {name: _read_specs(data) for name, data in blobs}
        self._read = {name: read for name in names if (read := self._read.get(name) or known.get(name)) is not None}

    def _wants(self, changes: Sequence[FileChange]) -> tuple[dict[str, Wanted], set[str]]:
        """Return the desired states that a commit set, and the names of all specs that it changed.

        If the previous version of a file cannot be read, the desired states are empty, because it is unknown whether
        the commit changed them.
        """
        before, after = ([getattr(each, side) for each in changes] for side in ("before", "after"))
        had, has = (_joined(self._read.get(name) for name in side if name is not None) for side in (before, after))
        changed = {name for name in had.wants.keys() | has.wants.keys() if had.wants.get(name) != has.wants.get(name)}
        if not had.is_whole:
            return {}, changed
        # A spec that was only renamed did not change the desired state of its job.
        jobs = {_job(wanted): wanted for wanted in had.wants.values()}
        names = (name for name in changed & has.wants.keys() - had.hidden)
        return {name: wanted for name in names if jobs.get(_job(wanted := has.wants[name])) != wanted}, changed


def in_force(
    found: Iterable[Approving], jobs: Iterable[Located[JobDocument]], now: datetime
) -> tuple[CommitApproval, ...]:
    """Return the approvals that are valid at `now`.

    The commit must be less than a day old and at most `AHEAD_MAX` in the future, and a spec in `jobs` must still
    declare the desired state that the commit set.
    """
    today = {each.document.metadata.name: _wanted(each.document) for each in jobs}
    return tuple(
        CommitApproval(each.commit, each.made_at, each.count, names)
        for each in found
        if -AHEAD_MAX <= now - each.made_at < APPROVED_FOR
        and (names := frozenset(name for name, wanted in each.wants.items() if today.get(name) == wanted))
    )


def _count(commit: Commit, parents: tuple[str, ...]) -> int | None:
    """Return the number in the last `Approve-Cancels` line of a commit's message.

    Return None if the message cannot be read or has no such line, or if the history of a shallow clone ends at the
    commit. Such a commit seems to have created every spec. It is recognised because `rev-list` reports other parents
    than the commit.
    """
    lines = _LINE.findall(commit.message or b"")
    return int(lines[-1]) if lines and commit.parents == parents else None


@dataclass(frozen=True, slots=True)
class _Specs:
    """The desired states declared in one or more files, as they were before or after a commit."""

    wants: Mapping[str, Wanted]
    """The desired states by spec name."""
    hidden: frozenset[str]
    """The names of invalid specs, whose desired state is unknown."""
    is_whole: bool
    """Whether every file could be read."""


def _read_specs(data: bytes) -> _Specs:
    found: Snapshot = read_documents(data, file="", shown="")
    wants = {each.document.metadata.name: _wanted(each.document) for each in found.jobs}
    hidden = frozenset(each.name for each in found.broken_jobs)
    return _Specs(wants, hidden, is_whole=not found.broken_files)


def _joined(parts: Iterable[_Specs | None]) -> _Specs:
    parts = list(parts)
    read = [each for each in parts if each is not None]
    wants = {name: wanted for each in read for name, wanted in each.wants.items()}
    hidden = frozenset[str]().union(*(each.hidden for each in read))
    return _Specs(wants, hidden, is_whole=len(read) == len(parts) and all(each.is_whole for each in read))


def _wanted(document: JobDocument) -> Wanted:
    spec = document.spec
    return spec.desired_state, spec.limits, spec.suspend, document.kind, spec.provider, spec.job_id


def _job(wanted: Wanted) -> Wanted:
    return wanted[3:]
