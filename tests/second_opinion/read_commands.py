"""The read-only commands that a user runs: the judge compares each of their statements with the truth."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from tests.second_opinion.command import wait_real

if TYPE_CHECKING:
    from tests.second_opinion.user_commands import UserCommands


def get(commands: UserCommands) -> None:
    """Run `get`, in one of its output formats."""
    form = commands.chance.choice(["table", "wide", "json", "json", "json", "yaml"])
    commands.session.reconcile("get", "-o", form)


def describe(commands: UserCommands) -> None:
    """Describe one job, sometimes with the provider's events."""
    pair = commands.sound_spec()
    if pair is not None:
        commands.session.reconcile("describe", pair[1].name, *commands.chance.choice([(), (), ("--events",)]))


def plan(commands: UserCommands) -> None:
    """Run `plan`."""
    more = commands.chance.choice([("-o", "json"), ("-o", "json"), ("-o", "markdown"), ()])
    commands.session.reconcile("plan", *more, *commands.chance.choice([(), ("--detailed-exitcode",)]))


def drift(commands: UserCommands) -> None:
    """Run `drift`."""
    commands.session.reconcile("drift", "-o", "json", *commands.chance.choice([(), (), ("--unfinished",)]))


def wait(commands: UserCommands) -> None:
    """Wait for a job, with or without a concurrent watch."""
    pair = commands.sound_spec()
    if pair is None:
        return
    final = commands.chance.choice(["settled", "cancelled", "cancelled", "succeeded", "failed"])
    words = ("wait", pair[1].name, "--for", final, "--timeout", "20s")
    if commands.session.remote.has_own_branch or commands.chance.random() < 0.4:
        commands.session.reconcile(*words, *commands.chance.choice([(), ("--live",)]))
        return
    watch = commands.session.start("--audit", "audit.jsonl")
    wait_real(0.5)
    commands.session.end(commands.session.start(*words), disturbed=True)
    watch.signal(signal.SIGTERM)
    commands.session.end(watch, disturbed=True)
