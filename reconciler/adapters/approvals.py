"""`Approve-Cancels: N` in commit messages: how a reviewed commit lets a large change past the guard.

Rules: only commits of the first parent's line count, for that is what was merged, by squash or by merge; only those
that touch specs and no status; only for a day; only for the jobs whose wanted state the commit changed. A shallow clone
does not hold what is needed, so nothing is approved there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import PurePosixPath

from reconciler.adapters.documents import read_documents
from reconciler.adapters.git import Git, GitError
from reconciler.model.plan import CommitApproval
from reconciler.model.spec import JobSpec

HOLDS_FOR = timedelta(hours=24)
COMMITS_MAX = 200
_LINE = re.compile(r"^Approve-Cancels:[ \t]*([0-9]{1,6})[ \t]*$", re.MULTILINE)
_END = "\x1e"
_FIELD = "\x1f"


def read_approvals(
    git: Git, revision: str, specs: str, statuses: str | None, now: datetime
) -> tuple[CommitApproval, ...]:
    """Return what the commits of the last day approve, the newest first.

    Args:
        git: the repository, at its top.
        revision: the commit to look back from.
        specs: the specs directory in it, with `/`.
        statuses: where statuses stand in it, if they do.
        now: the moment.
    """
    oldest = now - HOLDS_FOR
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


def is_in_force(approval: CommitApproval, now: datetime) -> bool:
    """Whether an approval is not a day old yet."""
    return now - approval.made_at < HOLDS_FOR


def _approval(git: Git, entry: str, specs: str, statuses: str | None, oldest: datetime) -> CommitApproval | None:
    commit, seconds, message = entry.strip().split(_FIELD, 2)
    lines = _LINE.findall(message)
    if not lines or int(seconds) < oldest.timestamp():
        return None
    try:
        changed = _changed_files(git, commit)
    except GitError:
        return None
    if statuses is not None and any(PurePosixPath(path).is_relative_to(statuses) for path in changed):
        return None
    ours = [path for path in changed if PurePosixPath(path).is_relative_to(specs)]
    names = frozenset(name for path in ours for name in _changed_jobs(git, commit, path))
    made_at = datetime.fromtimestamp(int(seconds), UTC)
    return CommitApproval(commit[:12], made_at, int(lines[-1]), names) if names else None


def _changed_files(git: Git, commit: str) -> list[str]:
    listed = git.text(
        "diff-tree", "--no-commit-id", "--name-only", "-r", "-z", "--root", "-m", "--first-parent", commit
    )
    return [path for path in listed.split("\0") if path]


def _changed_jobs(git: Git, commit: str, path: str) -> Iterator[str]:
    """Yield the names of the jobs in a file whose wanted state this commit changed."""
    before, after = _wants(git, f"{commit}^:{path}"), _wants(git, f"{commit}:{path}")
    yield from (name for name, wanted in after.items() if before.get(name) != wanted)


def _wants(git: Git, blob: str) -> dict[str, object]:
    try:
        data = git.run("cat-file", "blob", blob)
    except GitError:
        return {}
    jobs = read_documents(data, file="", shown="").jobs
    return {each.document.metadata.name: _wanted(each.document.spec) for each in jobs}


def _wanted(spec: JobSpec) -> tuple[object, ...]:
    return spec.desired_state, spec.limits, spec.suspend, spec.provider, spec.job_id
