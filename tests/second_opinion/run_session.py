"""Runs and judges one session from a seed."""

from __future__ import annotations

import traceback

from tests.second_opinion import final_checks
from tests.second_opinion.command import Run
from tests.second_opinion.judge import (
    audit,
    change_counts,
    command_output,
    disk,
    exit_codes,
    pauses,
    permission,
    prior_observation,
    published,
    secrets,
    status_accuracy,
    watch_log,
)
from tests.second_opinion.session import Session
from tests.second_opinion.user_commands import UserCommands

SKIPS = (0.0, 0.0, 5.0, 60.0, 900.0, 3700.0, 3700.0, 22000.0)


def run_session(session: Session) -> Session:
    """Run the session, judge it, and return it with its violations. Its files are deleted afterwards."""
    with session.scratch, session.wire:
        try:
            _played(session)
        except Exception:  # noqa: BLE001 - any error is reported with its session
            session.blame("world-broke", traceback.format_exc())
    return session


def _played(session: Session) -> None:
    session.begin()
    commands = UserCommands(session)
    for _ in range(session.steps):
        _one_step(session, commands)
    final_checks.converge(session)
    final_checks.expect_no_change(session)
    for each in session.runs:
        _of_run(session, each)
    for judge in (prior_observation, permission, pauses, change_counts, secrets):
        judge.judge(session)
    for error in session.world.errors:
        session.blame("world-broke", error)


def _one_step(session: Session, commands: UserCommands) -> None:
    for _ in range(session.chance.choice([0, 1, 1, 2, 3])):
        session.note(session.user.edit())
    if session.chance.random() < 0.5:
        session.repository.commit("Edit")
    for _ in range(session.chance.choice([0, 1, 1, 2, 3])):
        session.note(session.troubles.happen())
    skip = session.chance.choice(SKIPS)
    if skip:
        session.clock.skip(skip)
        session.note(f"{skip:.0f} s pass")
    commands.act()


def _of_run(session: Session, run: Run) -> None:
    for judge in (audit, exit_codes, status_accuracy, published, command_output, disk, watch_log):
        judge.judge(session, run)
