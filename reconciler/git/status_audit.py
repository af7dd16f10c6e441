"""Find statuses that reconcile did not write, by their digests and by the commits that touched them.

A wrong digest reveals an accidental edit. So does a commit by another author, because only reconcile's author may
change a status. These checks do not stop an attacker, who can compute a digest and choose an author. Only the Git host
knows who pushed a commit.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from pathlib import Path

from reconciler.git.author import Author
from reconciler.git.checkout import Checkout, find_checkout
from reconciler.git.command import GitError
from reconciler.git.commits import is_commit, printable, read_changes, read_commits
from reconciler.model.diagnostic import Diagnostic
from reconciler.ports import StoredStatuses

_OVERWRITTEN = "revert the edit: statuses are generated, and the next pass overwrites this file"
_REMOVED = "remove the file: no spec has this status, and the next pass removes the file unless it is a dry run"
_SUGGESTION = "remove the file from the commit: only reconcile writes statuses"


def edited_statuses(found: StoredStatuses, statuses: Path, places: Container[str]) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each discarded status file, which is damaged or was edited.

    Args:
        found: the statuses that were read.
        statuses: the directory of statuses.
        places: the paths in that directory that belong to the statuses of current specs.
    """
    return tuple(
        Diagnostic(
            file=str(statuses / path),
            message="the status is damaged or was edited by hand",
            suggestion=_OVERWRITTEN if path in places else _REMOVED,
        )
        for path in found.discarded
    )


def foreign_commits(specs: Path, statuses: Path, since: str, author: str) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each status that a commit by another author changed or that a merge reverted.

    Args:
        specs: the specs directory.
        statuses: the directory of statuses.
        since: a revision. Only commits that are not in its history are checked.
        author: the author of reconcile's commits.

    If the statuses are not in the checkout of the specs, no commit is checked. Raises `GitError` if Git fails or does
    not know the revision, and `ValueError` if the specs are not in a checkout or the author is invalid.
    """
    checkout = find_checkout(specs)
    if checkout is None:
        msg = f"{specs} is not in a Git checkout: pass a directory of a checkout to --specs"
        raise ValueError(msg)
    ours, top = Author.parse(author).email, checkout.git.directory
    base = checkout.git.find("rev-parse", "--verify", "--quiet", "--end-of-options", f"{since}^{{commit}}") or ""
    if not is_commit(base):
        msg = "the repository has no such revision: fetch it, or pass another one to --since"
        raise GitError(msg)
    if not statuses.resolve().is_relative_to(top):
        return ()
    within = statuses.resolve().relative_to(top).as_posix()
    return tuple(_foreign_changes(checkout, base, within, ours))


def _foreign_changes(checkout: Checkout, base: str, within: str, ours: str) -> Iterator[Diagnostic]:
    git = checkout.git
    commits = git.text("rev-list", "--end-of-options", f"{base}..HEAD").split()
    # For a merge, Git lists only the files that differ from every parent.
    changes = read_changes(git, commits, within, how=["-c"])
    for commit in read_commits(git, [each for each in commits if each in changes]):
        author = printable(commit.email or "") or commit.author or "an unreadable author"
        for change in changes[commit.name] if commit.email != ours else ():
            yield _diagnostic(checkout, change.path, f"commit {commit.name[:12]} by {author} changes a status")
    touched = {change.path for each in changes.values() for change in each}
    yield from _reverted_by_merges(checkout, base, within, touched)


def _reverted_by_merges(checkout: Checkout, base: str, within: str, touched: Container[str]) -> Iterator[Diagnostic]:
    """Yield the statuses that a merge reverts. `touched` are the paths that the listed commits change.

    A merge that takes one side unchanged is not listed, but it may revert statuses from the other side.
    """
    git = checkout.git
    head, fork = git.text("rev-parse", "--verify", "HEAD"), git.find("merge-base", "--end-of-options", base, "HEAD")
    if fork is None:
        return
    for change in read_changes(git, [f"{head} {fork}"], within).get(head, ()):
        if change.path not in touched:
            yield _diagnostic(checkout, change.path, "a merge reverts the version that reconcile wrote")


def _diagnostic(checkout: Checkout, path: str, message: str) -> Diagnostic:
    file, here = checkout.git.directory / path, Path.cwd()
    shown = str(file.relative_to(here) if file.is_relative_to(here) else file)
    return Diagnostic(file=printable(shown), message=message, suggestion=_SUGGESTION)
