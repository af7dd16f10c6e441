"""Plays one story from its seed to its verdict."""

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
    permission,
    prior_observation,
    published,
    secrets,
    status_accuracy,
    watch_log,
)
from tests.second_opinion.session import Story
from tests.second_opinion.user_commands import Acts

SKIPS = (0.0, 0.0, 5.0, 60.0, 900.0, 3700.0, 3700.0, 22000.0)


def play(story: Story) -> Story:
    """Play the story, judge it, and return it with its violations. Its files are gone afterwards."""
    with story.scratch, story.wire:
        try:
            _played(story)
        except Exception:  # noqa: BLE001 - whatever breaks the stage is told with the story that broke it
            story.blame("world-broke", traceback.format_exc())
    return story


def _played(story: Story) -> None:
    story.begin()
    acts = Acts(story)
    for _ in range(story.steps):
        _one_step(story, acts)
    final_checks.settle(story)
    final_checks.rest(story)
    for each in story.runs:
        _of_run(story, each)
    for judge in (prior_observation, permission, change_counts, secrets):
        judge.judge(story)
    for error in story.world.errors:
        story.blame("world-broke", error)


def _one_step(story: Story, acts: Acts) -> None:
    for _ in range(story.chance.choice([0, 1, 1, 2, 3])):
        story.note(story.user.edit())
    if story.chance.random() < 0.5:
        story.repository.commit("Edit")
    for _ in range(story.chance.choice([0, 1, 1, 2, 3])):
        story.note(story.troubles.happen())
    skip = story.chance.choice(SKIPS)
    if skip:
        story.clock.skip(skip)
        story.note(f"{skip:.0f} s pass")
    acts.act()


def _of_run(story: Story, run: Run) -> None:
    for judge in (audit, exit_codes, status_accuracy, published, command_output, disk, watch_log):
        judge.judge(story, run)
