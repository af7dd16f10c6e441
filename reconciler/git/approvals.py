"""`Approve-Cancels: N` in commit messages: how a reviewed commit lets a large change past the guard.

Rules: only commits of the first parent's line count, for that is what was merged, by squash or by merge; only those
that touch specs and no status; only for a day, and none that claims to be of the future; only for the jobs whose wanted
state the commit changed, while that is still what is wanted of them. A shallow clone does not hold what is needed, so
nothing is approved there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from reconciler.formats.spec_parser import read_documents
from reconciler.git.command import Git, GitError
from reconciler.model.report import APPROVED_FOR, CommitApproval
from reconciler.model.spec import FineTuningJob, JobSpec
from reconciler.ports import Located

AHEAD_MAX = timedelta(minutes=5)
"""How much a committer's clock may be ahead: one that says 2030 would make an approval hold until then."""
COMMITS_MAX = 200
_LINE = re.compile(r"^Approve-Cancels:[ \t]*([0-9]{1,6})[ \t\r]*$", re.MULTILINE)
_ADDED, _DELETED = "A", "D"
_END = "\x1e"
_FIELD = "\x1f"

Wanted = tuple[object, ...]
"""What a spec says of its job's state."""


@dataclass(frozen=True, slots=True)
class Approving:
    """A commit that has the line."""

    commit: str
    made_at: datetime
    count: int
    wants: Mapping[str, Wanted]
    """What the commit made the specs want, by their names."""


def read_approvals(git: Git, revision: str, specs: str, statuses: str | None, now: datetime) -> tuple[Approving, ...]:
    """Return the commits of the last day that have the line, the newest first.

    Args:
        git: the repository, at its top.
        revision: the commit to look back from.
        specs: the specs directory in it, with `/`.
        statuses: where statuses stand in it, if they do.
        now: the moment.
    """
    oldest = now - APPROVED_FOR
    told = git.find(
        "log",
        "--first-parent",
        f"--max-count={COMMITS_MAX}",
        f"--since={int(oldest.timestamp())}",
        f"--format=%H{_FIELD}%ct{_FIELD}%B{_END}",
        revision,
        "--",
        specs or ".",
    )
    found = (_approval(git, entry, specs, statuses, oldest) for entry in (told or "").split(_END) if _FIELD in entry)
    return tuple(each for each in found if each is not None)


def in_force(
    found: Iterable[Approving], jobs: Iterable[Located[FineTuningJob]], now: datetime
) -> tuple[CommitApproval, ...]:
    """Return what is approved still: of commits not a day old yet, the specs that want what those made them want."""
    today = {each.document.metadata.name: _wanted(each.document.spec) for each in jobs}
    return tuple(
        CommitApproval(each.commit, each.made_at, each.count, names)
        for each in found
        if -AHEAD_MAX <= now - each.made_at < APPROVED_FOR
        and (names := frozenset(name for name, wanted in each.wants.items() if today.get(name) == wanted))
    )


def _approval(git: Git, entry: str, specs: str, statuses: str | None, oldest: datetime) -> Approving | None:
    commit, seconds, message = entry.strip().split(_FIELD, 2)
    lines = _LINE.findall(message)
    if not lines or int(seconds) < oldest.timestamp():
        return None
    try:
        changed = _changed_files(git, commit)
        if statuses is not None and any(PurePosixPath(path).is_relative_to(statuses) for path in changed):
            return None
        ours = {path: how for path, how in changed.items() if PurePosixPath(path).is_relative_to(specs)}
        before = _wants(git, f"{commit}^", [path for path, how in ours.items() if how != _ADDED])
        after = _wants(git, commit, [path for path, how in ours.items() if how != _DELETED])
    except GitError:
        # What stood there before may be just what stands there now.
        return None
    wants = {name: wanted for name, wanted in after.items() if before.get(name) != wanted}
    return Approving(commit[:12], datetime.fromtimestamp(int(seconds), UTC), int(lines[-1]), wants)


def _changed_files(git: Git, commit: str) -> dict[str, str]:
    """Return the files that a commit changed, and how."""
    listed = git.text(
        "diff-tree",
        *("--no-commit-id", "--name-status", "--no-renames", "-r", "-z", "--root", "-m", "--first-parent"),
        commit,
    )
    hows, paths = listed.split("\0")[:-1:2], listed.split("\0")[1::2]
    return dict(zip(paths, hows, strict=True))


def _wants(git: Git, commit: str, paths: Iterable[str]) -> dict[str, Wanted]:
    """Return what the specs in these files want as of a commit, by their names. Raises `GitError`."""
    blobs = (git.run("cat-file", "blob", f"{commit}:{path}") for path in paths)
    jobs = (each.document for blob in blobs for each in read_documents(blob, file="", shown="").jobs)
    return {job.metadata.name: _wanted(job.spec) for job in jobs}


def _wanted(spec: JobSpec) -> Wanted:
    return spec.desired_state, spec.limits, spec.suspend, spec.provider, spec.job_id
