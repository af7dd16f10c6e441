"""The commands that only read, as a user runs them beside all else: each claim of theirs is compared with the truth."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.second_opinion.command import wait_real

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import Acts


def get(acts: Acts) -> None:
    """Read where jobs stand, in one of its forms."""
    form = acts.chance.choice(["table", "wide", "json", "json", "json", "yaml"])
    acts.story.reconcile("get", "-o", form)


def describe(acts: Acts) -> None:
    """Describe one job, with the provider's own log once in a while."""
    pair = acts.sound_spec()
    if pair is not None:
        acts.story.reconcile("describe", pair[1].name, *acts.chance.choice([(), (), ("--events",)]))


def plan(acts: Acts) -> None:
    """Look at what a pass would do."""
    more = acts.chance.choice([("-o", "json"), ("-o", "json"), ("-o", "markdown"), ()])
    acts.story.reconcile("plan", *more, *acts.chance.choice([(), ("--detailed-exitcode",)]))


def drift(acts: Acts) -> None:
    """Look for what is not as the specs say."""
    acts.story.reconcile("drift", "-o", "json", *acts.chance.choice([(), (), ("--unfinished",)]))


def wait(acts: Acts) -> None:
    """Wait for a job by its status, beside a watch that works on it or beside nothing."""
    pair = acts.sound_spec()
    if pair is None:
        return
    final = acts.chance.choice(["settled", "cancelled", "cancelled", "succeeded", "failed"])
    words = ("wait", pair[1].name, "--for", final, "--timeout", "20s")
    if acts.story.remote.has_own_branch or acts.chance.random() < 0.4:
        acts.story.reconcile(*words, *acts.chance.choice([(), ("--live",)]))
        return
    watch = acts.story.start("--audit", "audit.jsonl")
    wait_real(0.5)
    acts.story.end(acts.story.start(*words), disturbed=True)
    watch.signal(signal.SIGTERM)
    acts.story.end(watch, disturbed=True)
