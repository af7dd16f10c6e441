"""The ways in which a user's own machine is unwell: its remote away, slow or torn, its disk unreadable for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import Acts


def remote_away(acts: Acts) -> None:
    """Make a pass, or watch for a while, while the remote is away."""
    story = acts.story
    story.remote.leave()
    story.note("the remote is away")
    acts.act_anyhow()
    story.remote.recover()


def remote_slow(acts: Acts) -> None:
    """Make a pass while each visit to the remote takes long."""
    seconds = acts.chance.choice([0.3, 1, 2])
    acts.story.remote.be_slow(f"sleep {seconds}")
    acts.story.note(f"each visit to the remote takes {seconds} s")
    acts.act_anyhow()
    acts.story.remote.recover()


def remote_torn(acts: Acts) -> None:
    """Make a pass while Git dies in the middle of its visits to the remote."""
    after = acts.chance.choice([0.002, 0.005, 0.01, 0.02])
    acts.story.remote.be_torn(after)
    acts.story.note(f"Git dies {after} s after it has begun to talk to the remote")
    acts.act_anyhow()
    acts.story.remote.recover()


def disk_unreadable(acts: Acts) -> None:
    """Make a pass while the statuses cannot be read: for a moment, or all the time."""
    seconds = acts.chance.choice([0.7, 0.9, 1.2, 600])
    acts.story.unreadable(acts.chance.choice(["ESTALE", "EMFILE", "EIO", "EACCES"]), seconds, acts.pass_words())
