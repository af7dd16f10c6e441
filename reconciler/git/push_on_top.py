"""Push changes on top of the newest commit of a branch to which other writers push too.

Theory: a push is refused if another writer pushes between the fetch of the newest commit and the push. The shorter this
time is, the less often that happens. Therefore only the differences between two commits are read in it, and the
statuses on the disk are not used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from reconciler.git.branches import Branch
from reconciler.git.command import GitError
from reconciler.git.published_statuses import PublishedStatuses
from reconciler.git.push_turns import PushTurns, pause

Changes = Mapping[str, bytes | None]
"""The new content of statuses, by path. None means that a status is removed."""


@dataclass(slots=True)
class PushOnTop:
    """The push of some changes.

    Args:
        branch: the branch.
        reader: reads the statuses in its commits.
        turns: says when to push.
        base: the commit on which the changes are based; None if the branch had no commit.
        commit_on: makes a commit with the changes on top of another commit.
        may_follow: returns whether the changes may be pushed on top of changes by others.
    """

    branch: Branch
    reader: PublishedStatuses
    turns: PushTurns
    base: str | None
    commit_on: Callable[[str | None], str]
    may_follow: Callable[[Changes], bool]
    theirs: Changes = field(default_factory=dict)
    """What other writers have changed since `base`, as far as it was fetched."""
    _tip: str | None = field(init=False)

    def __post_init__(self) -> None:
        """Begin at the base."""
        self._tip = self.base

    @property
    def has_followed(self) -> bool:
        """Whether other writers have pushed since `base`."""
        return self._tip != self.base

    def run(self, tries: int) -> str | None:
        """Push the changes, try again while other writers push first, and return the commit.

        Return None if the changes must be based on newer statuses first, or if every try was refused. Raises `GitError`
        if a push fails for another reason.
        """
        # A push on top of an old commit would be refused.
        if tries > 1 and self.base is not None and self.turns.are_others_active() and not self._follow():
            return None
        for refused in range(1, tries + 1):
            begun_at, tip, refusal = self.turns.monotonic(), self._tip, None
            commit = self.commit_on(tip)
            try:
                if self.branch.push(commit, tip):
                    self.turns.pushed(begun_at)
                    return commit
            except GitError as error:
                refusal = error
            self.turns.refused(begun_at)
            pause(self.turns.pause_s(refused))
            if not self._follow():
                return None
            if self._tip == tip and refusal is not None:
                raise refusal
        return None

    def _follow(self) -> bool:
        """Fetch the newest commit. Return whether the changes may be pushed on top of it."""
        newest = self.branch.tip() if self.base is None else self.branch.newer_tip()
        if newest == self._tip:
            return True
        self.turns.found_others()
        if newest is None or self.base is None:
            return False
        try:
            self._tip, self.theirs = newest, self.reader.changed(self.base, newest)
        except GitError:
            return False  # an object is damaged, so the caller reads everything again
        return self.may_follow(self.theirs)
