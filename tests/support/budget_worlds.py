"""The budget of a pass in memory, and worlds in which some of its sources are missing."""

from __future__ import annotations

from typing import Any

from reconciler.controller.budget_sources import PassBudget, budget_of
from reconciler.controller.run_options import ChangeRules
from reconciler.core.change_budget import ChangeBudget
from reconciler.model.journal import KnownStatuses
from reconciler.ports import JobController, Unread
from tests.support.in_memory import Statuses, World
from tests.support.named_specs import a_world, loaded

RULES = ChangeRules()
DISK = OSError(13, "Permission denied", "/state/journal")
UNREAD_FILE = Unread("b.yaml", "Permission denied", "allow it to be read")


def nobody(_: object) -> JobController:
    """Fail, because the budget of a pass is computed before any change is requested."""
    message = "a change was requested while the budget was computed"
    raise AssertionError(message)


def budgeted(world: World, rules: ChangeRules = RULES, before: ChangeBudget | None = None, **rest: Any) -> PassBudget:
    """Return the budget of a pass over this world. Unless `control` is None in `rest`, the pass may request changes."""
    runtime = world.runtime(**{"control": nobody} | rest)
    return budget_of(loaded(world, **rest), rules, before or ChangeBudget(), runtime)


def names(count: int) -> list[str]:
    """Return this many names of jobs."""
    return [f"job-{number}" for number in range(count)]


def lost_world(*lost: str, **rest: Any) -> World:
    """Return a world in which the last pass left statuses with these names, which are now missing."""
    world = a_world("a", statuses=Statuses.of(**rest))
    world.journal.statuses = KnownStatuses(marks=dict.fromkeys(lost, "0badcafe"))
    return world
