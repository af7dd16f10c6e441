"""Plays one story from its seed to its verdict."""

from __future__ import annotations

import traceback

from tests.second_opinion import finale
from tests.second_opinion.acts import Acts
from tests.second_opinion.command import Run
from tests.second_opinion.judge import (
    audit,
    codes,
    counts,
    disk,
    log,
    permission,
    published,
    screen,
    secrets,
    sight,
    truth,
)
from tests.second_opinion.story import Story

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
    finale.settle(story)
    finale.rest(story)
    for each in story.runs:
        _of_run(story, each)
    for judge in (sight, permission, counts, secrets):
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
    for judge in (audit, codes, truth, published, screen, disk, log):
        judge.judge(story, run)
