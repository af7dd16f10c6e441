"""The faults of a user's machine: its remote is unreachable or slow, its Git is killed, or its disk is unreadable."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import UserCommands


def remote_away(commands: UserCommands) -> None:
    """Make a pass, or watch for a while, while the remote is unreachable."""
    session = commands.session
    session.remote.leave()
    session.note("the remote is away")
    commands.act_anyhow()
    session.remote.recover()


def remote_slow(commands: UserCommands) -> None:
    """Make a pass while the remote is slow."""
    seconds = commands.chance.choice([0.3, 1, 2])
    commands.session.remote.be_slow(f"sleep {seconds}")
    commands.session.note(f"each visit to the remote takes {seconds} s")
    commands.act_anyhow()
    commands.session.remote.recover()


def remote_torn(commands: UserCommands) -> None:
    """Make a pass in which Git is killed while it contacts the remote."""
    after = commands.chance.choice([0.002, 0.005, 0.01, 0.02])
    commands.session.remote.be_torn(after)
    commands.session.note(f"Git dies {after} s after it has begun to talk to the remote")
    commands.act_anyhow()
    commands.session.remote.recover()


def disk_unreadable(commands: UserCommands) -> None:
    """Make a pass while the statuses cannot be read, for a moment or all the time."""
    seconds = commands.chance.choice([0.7, 0.9, 1.2, 600])
    commands.session.unreadable(
        commands.chance.choice(["ESTALE", "EMFILE", "EIO", "EACCES"]), seconds, commands.pass_words()
    )
