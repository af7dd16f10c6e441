"""Statuses that somebody else wrote: by their digests, and by the commits that touched them.

A digest finds what was edited by accident. Who wants to can make one, so a change is also checked by its commits, of
which only those with reconcile's author may touch a status.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from reconciler.git.author import Signature
from reconciler.git.checkout import find_checkout
from reconciler.local.disk import LocalDisk
from reconciler.local.status_store import StatusesDir
from reconciler.model.diagnostic import Diagnostic

_FIELD = "\x1f"


def edited_statuses(statuses: Path) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each status file that is not as reconcile wrote it."""
    found = StatusesDir(statuses, LocalDisk(statuses)).load()
    return tuple(
        Diagnostic(
            file=str(statuses / path),
            message="unreadable or edited by hand",
            suggestion="take the edit back: statuses are generated, and the next pass overwrites this",
        )
        for path in found.discarded
    )


def foreign_commits(specs: Path, statuses: Path, since: str, author: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each status that a commit touched which is not reconcile's own.

    Args:
        specs: the specs directory.
        statuses: where statuses stand.
        since: the revision whose history is not looked at.
        author: who reconcile commits as.

    Raises `GitError` where there is no such revision, and ValueError where there is no checkout or author.
    """
    checkout = find_checkout(specs)
    if checkout is None:
        msg = f"{specs} is not in a Git checkout"
        raise ValueError(msg)
    ours = Signature.parse(author).email
    base = checkout.git.text("rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}")
    top = checkout.git.directory.resolve()
    if not statuses.resolve().is_relative_to(top):
        return ()
    within = statuses.resolve().relative_to(top).as_posix()
    listed = checkout.git.text(
        "log", "--no-merges", "-z", "--name-only", f"--format={_FIELD}%h%n%ae", f"{base}..HEAD", "--", within
    )
    return tuple(_meddled(listed, ours, top))


def _meddled(listed: str, ours: str, top: Path) -> Iterator[Diagnostic]:
    for entry in listed.split(_FIELD)[1:]:
        commit, _, rest = entry.partition("\n")
        author, *paths = (part for part in rest.replace("\0", "\n").split("\n") if part)
        for path in paths if author != ours else ():
            yield Diagnostic(
                file=_shown(top / path),
                message=f"commit {commit} of {author} writes a status",
                suggestion="take it out of the commit: only reconcile writes statuses",
            )


def _shown(path: Path) -> str:
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
