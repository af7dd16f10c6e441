"""Read earlier versions of statuses from the commits of the last day.

These versions replace the journal if the state directory is new, as in CI.

Rules: for each status that a commit changed, both the old and the new version are read. Therefore a commit that deletes
a status or has a false date cannot hide a version that reconcile committed. The commits of all parents of a merge are
read. If there is more than can be read, or if Git fails, `doubt` contains the reason, because a version may then be
missing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, is_status_file, parse_status
from reconciler.git.checkout import find_checkout
from reconciler.git.command import Git, GitError
from reconciler.git.commits import FileChange, read_changes
from reconciler.model.action import APPROVED_FOR
from reconciler.model.journal import EarlierStatuses
from reconciler.model.status import JobStatus

COMMITS_MAX = 5_000
FILES_MAX = 50_000
UNREADABLE_MAX = 20
"""The maximum number of commits with unreadable trees. Finding each one takes several Git commands."""
SIZE_MAX = 256 * 1024
BYTES_MAX = 64 * 1024 * 1024
LATE_MAX = timedelta(hours=1)
"""The maximum time between a request and the commit that contains its status."""


class _TooMuchError(Exception):
    """The history exceeds a limit. The message says which limit."""


def earlier_statuses(specs: Path, statuses: Path, scratch: Path, now: datetime) -> EarlierStatuses:
    """Return the statuses that commits of the last day wrote or removed.

    Return none if the specs are not in a checkout, if the statuses are not in that checkout, if it has no commit yet,
    or if Git cannot use it.

    Args:
        specs: the specs directory.
        statuses: the directory of statuses.
        scratch: the directory for Git's temporary files.
        now: the current time.
    """
    try:
        checkout = find_checkout(specs, scratch=scratch)
    except GitError:
        return EarlierStatuses()  # a checkout that cannot be read is not acted on, and every pass reports it
    real = statuses.resolve()
    if checkout is None or not real.is_relative_to(checkout.git.directory):
        return EarlierStatuses()
    try:
        if checkout.revision() is None:
            return EarlierStatuses()  # there is no commit yet
        within = real.relative_to(checkout.git.directory).as_posix()
        return EarlierStatuses(
            tuple(_parsed(checkout.git, _blobs(checkout.git, within, now - APPROVED_FOR - LATE_MAX)))
        )
    except (GitError, _TooMuchError) as error:
        return EarlierStatuses(doubt=f"the status commits of the last day cannot be read ({error})")


def _blobs(git: Git, within: str, oldest: datetime) -> list[str]:
    """Return the blob ids of the statuses. Raises `GitError` if Git fails, or `_TooMuchError` if there are too many."""
    lines = (line.split() for line in _listed(git, within).splitlines())
    pairs = [" ".join(line[1:3]) for line in lines if int(line[0]) >= oldest.timestamp()]
    changes = _changes(git, pairs, within)
    found = (name for each in changes.values() for change in each for name in (change.before, change.after))
    names = list(dict.fromkeys(name for name in found if name is not None))
    if len(pairs) > COMMITS_MAX or len(names) > FILES_MAX:
        msg = f"more than {COMMITS_MAX:,} commits or {FILES_MAX:,} files"
        raise _TooMuchError(msg)
    return names


def _listed(git: Git, within: str) -> str:
    """Return the commits that changed statuses, with times and parents, or all commits if a tree is unreadable."""
    # The number is not limited here. Otherwise an attacker could add commits with false dates, so that the commits of
    # the last day are beyond the limit.
    options = ("--full-history", "--timestamp", "--parents", "--end-of-options", "HEAD", "--")
    try:
        return git.find("rev-list", *options, within) or ""
    except GitError as error:
        if _is_cut_off(error):
            raise
        return git.find("rev-list", *options) or ""


def _is_cut_off(error: GitError) -> bool:
    """Return whether Git reached a limit on size, time or memory. The tree itself may be readable in this case."""
    return error.code is None or "out of memory" in str(error).lower()


def _changes(git: Git, pairs: list[str], within: str) -> Mapping[str, list[FileChange]]:
    """Return the changes that commits made, by commit. Commits whose tree cannot be read are omitted.

    A status that such a commit removes is found in the commit that wrote it. Raises `_TooMuchError` if too many trees
    are unreadable, and `GitError` if Git reached a limit.
    """
    found: dict[str, list[FileChange]] = {}
    unreadable, waiting = 0, [pairs] if pairs else []
    while waiting:
        some = waiting.pop()
        try:
            found |= read_changes(git, some, within)
        except GitError as error:
            if _is_cut_off(error):
                raise
            # Git does not name the unreadable commit, so it is found by bisection.
            middle = len(some) // 2
            waiting += [some[middle:], some[:middle]] if middle else []
            unreadable += not middle
            if unreadable > UNREADABLE_MAX:
                msg = f"more than {UNREADABLE_MAX} commits are unreadable"
                raise _TooMuchError(msg) from error
    return found


def _parsed(git: Git, names: list[str]) -> Iterator[JobStatus]:
    sizes = git.sizes(names) if names else {}
    small = [name for name in names if sizes.get(name, SIZE_MAX + 1) <= SIZE_MAX]
    if sum(sizes[name] for name in small) > BYTES_MAX:
        msg = f"the statuses in these commits are larger than {BYTES_MAX // 1024**2} MiB together"
        raise _TooMuchError(msg)
    for data in git.read_blobs(small) if small else ():
        with suppress(StatusTooNewError, StatusUnreadableError, UnicodeDecodeError):
            if is_status_file(data):
                yield parse_status(data.decode())
