"""Write the statuses that no account worker handles: of specs that cannot be acted on, of deleted specs, of accounts.

Rules: a dry run writes nothing. The statuses of a running worker's jobs are left to that worker. If the run does not
select every spec, no status is removed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from reconciler.controller.account_outcome import AccountOutcome
from reconciler.controller.budget_sources import PassBudget
from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.pass_memory import PassMemory
from reconciler.controller.per_spec import HAS_PROBLEM
from reconciler.controller.provider_statuses import prune_provider_statuses, write_provider_statuses
from reconciler.controller.prune import Pruned, prune_statuses, remove_discarded, write_all
from reconciler.controller.runtime import Runtime
from reconciler.core.conditions import stalled
from reconciler.core.guard import ChangeLimits
from reconciler.model.status import JobStatus


@dataclass(frozen=True, slots=True)
class OtherStatuses:
    """The statuses that were written or removed, with notices and errors."""

    blocked: Mapping[int, JobStatus] = field(default_factory=dict)
    """The statuses of the specs that cannot be acted on, by position in `DesiredSpecs.specs`."""
    removed: tuple[str, ...] = ()
    """The names of the deleted specs whose statuses were removed."""
    notices: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def write_other_statuses(
    desired: DesiredSpecs,
    outcomes: Collection[AccountOutcome],
    budget: PassBudget,
    memory: PassMemory,
    runtime: Runtime,
) -> OtherStatuses:
    """Write and remove the statuses that no worker handles, and return what was done, with any errors.

    Call this after the outcomes of the workers have been collected.
    """
    blocked = _blocked(desired, runtime)
    if runtime.control is None:
        return OtherStatuses(blocked)
    busy = memory.workers.names
    errors = write_all(_free(blocked, desired, busy), runtime) if blocked else ()
    pruned = _pruned(desired, outcomes, busy, budget.budget.limits.everywhere, runtime)
    if not runtime.is_stopping():
        errors += write_provider_statuses(desired, outcomes, memory.unobserved, runtime)
    errors += prune_provider_statuses(desired, runtime)
    return OtherStatuses(blocked, pruned.removed, pruned.notices, errors + pruned.errors)


def _blocked(desired: DesiredSpecs, runtime: Runtime) -> dict[int, JobStatus]:
    now = runtime.clock.now().replace(microsecond=0)
    return {
        key: stalled(each.name, each.source, desired.last.get(key), problem.reason, problem.message, now, each.kind)
        for key in desired.chosen_having(HAS_PROBLEM)
        if (problem := (each := desired.specs[key]).problem) is not None
    }


def _free(blocked: Mapping[int, JobStatus], desired: DesiredSpecs, busy: Collection[str]) -> Iterable[JobStatus]:
    """Return the statuses of blocked specs that no worker writes, one for each name."""
    # Two specs with the same name share a status file. If one of them is valid, its worker writes the file.
    held = {each.name for each in desired.specs if each.subject is not None}.union(busy)
    return (each for each in _one_for_each_name(blocked, desired.last) if each.name not in held)


def _one_for_each_name(blocked: Mapping[int, JobStatus], last: Mapping[int, JobStatus]) -> Iterable[JobStatus]:
    """Return one status for each name. If two specs have the same name, one with a last status takes precedence."""
    by_name: dict[str, JobStatus] = {}
    for key in sorted(blocked, key=lambda key: key not in last):
        by_name.setdefault(blocked[key].name, blocked[key])
    return by_name.values()


def _pruned(
    desired: DesiredSpecs,
    outcomes: Iterable[AccountOutcome],
    busy: Collection[str],
    limits: ChangeLimits,
    runtime: Runtime,
) -> Pruned:
    if not desired.is_whole:
        return Pruned()
    pruned = prune_statuses(desired, outcomes, busy, limits, runtime)
    if desired.may_ask and desired.stored.discarded:
        pruned += remove_discarded(desired, busy, limits, runtime)
    return pruned
