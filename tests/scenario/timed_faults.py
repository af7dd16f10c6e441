"""Faults of a watch that last for some time: each function begins a fault, records its end, and ends it.

Rules: random choices come from the simulation's random source. A fault that can delay requests records the account or
job that it affects, so that oracles allow no delay of any other account or job.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.sandbox.faults import FAULTS
from tests.scenario.disruptions import EVENTS_MISSED, KEY_LOST, Disruption, RetryRequested
from tests.scenario.injections import any_job_spec, any_provider, mend_settings
from tests.scenario.oracles.status_yaml import UNFINISHED
from tests.scenario.process import SPECS, STATUSES
from tests.scenario.provider import KEY
from tests.scenario.remote import Branch
from tests.scenario.repository import KEY_VARIABLE, JobSpec
from tests.scenario.simulation import Simulation

OUTAGES: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "500"},
    {"fault": "status", "status": "503", "retryAfter": "30s"},
    {"fault": "status", "status": "429"},
    {"fault": "status", "status": "429", "retryAfter": "90s"},
    {"fault": "status", "status": "401"},
    {"fault": "reset-before-acting"},
    {"fault": "hang"},
    {"fault": "html"},
)
_SLOW: tuple[dict[str, Any], ...] = ({"fault": "slow", "for": "3s"}, {"fault": "slow", "for": "40s"})
_OF_ONE_JOB: tuple[dict[str, Any], ...] = (
    {"fault": "status", "status": "403"},
    {"fault": "status", "status": "404"},
    {"fault": "garbage"},
    {"fault": "empty"},
    {"fault": "status", "status": "400"},
)
_JAMS: tuple[Exception, ...] = (
    TransientError("its token endpoint did not answer", delivered=Delivered.NO),
    PermanentError("its credential is refused", kind=Kind.DENIED),
    ValueError("a bug in a vendor's library"),
)
_LASTING_S = (20.0, 70.0, 200.0, 700.0, 700.0, 1700.0)
_REFUSALS = (errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES)


def outage(simulation: Simulation) -> None:
    """Let every request to one account fail for a while."""
    provider, rule = any_provider(simulation), simulation.rng.choice(OUTAGES)
    _rule(simulation, f"outage: {rule.get('status', rule['fault'])}", rule, provider.name)


def hang(simulation: Simulation) -> None:
    """Let one account never respond for a while, and change a spec so that a request to it is sent."""
    provider = any_provider(simulation)
    _rule(simulation, "outage: hang", {"fault": "hang"}, provider.name)
    if job_specs := _of(simulation, provider.name):
        job_spec = simulation.rng.choice(job_specs)
        desired = "observed" if job_spec.desired == "cancelled" else "cancelled"
        simulation.edit(f"{job_spec.name}: -> {desired}", simulation.revision.changed(job_spec.name, desired=desired))


def slowness(simulation: Simulation) -> None:
    """Let one account respond slowly for a while."""
    _rule(simulation, "slow answers", simulation.rng.choice(_SLOW), any_provider(simulation).name)


def list_lag(simulation: Simulation) -> None:
    """Let the lists of one account show an earlier state for a while. A retrieve shows the current state."""
    rule = {"fault": "stale-read", "on": "list", "for": simulation.rng.choice(["30s", "10m"])}
    _begin_rule(simulation, rule, any_provider(simulation).name)(_seconds(simulation))
    simulation.note_event("lists lag", "")


def forbid_job(simulation: Simulation) -> None:
    """Let every retrieve of one job fail for a while."""
    job_spec = any_job_spec(simulation)
    rule = {**simulation.rng.choice(_OF_ONE_JOB), "job": job_spec.job_id, "on": "retrieve"}
    _rule(simulation, f"one job: {rule.get('status', rule['fault'])}", rule, job_spec.account, job_spec.job_id)


def vanish(simulation: Simulation) -> None:
    """Let one or many jobs be gone for a while. At least one job of the account stays."""
    provider, now = any_provider(simulation), simulation.clock.now()
    going_on = [each for each in _of(simulation, provider.name) if _truth(simulation, each) in UNFINISHED]
    gone = (
        simulation.rng.sample(going_on, simulation.rng.choice([1, 1, len(going_on) // 2])) if len(going_on) > 3 else []
    )
    seconds = _seconds(simulation)
    for job_spec in gone:
        until = now + timedelta(seconds=seconds)
        provider.world.vanish(job_spec.job_id, now, until)
        simulation.history.events.append(
            Disruption(now, f"{len(gone)} vanish", until, job_spec.account, job_spec.job_id)
        )


def wrong_project(simulation: Simulation) -> None:
    """Let the key belong to another project for a while."""
    provider = any_provider(simulation)
    provider.host.is_wrong_project = True
    _note(simulation, "wrong project", lambda: setattr(provider.host, "is_wrong_project", False), provider.name)


def shut(simulation: Simulation) -> None:
    """Let the opening of one account fail for a while. A process that has opened it before is not affected."""
    provider = any_provider(simulation)
    provider.host.open_error = simulation.rng.choice(_JAMS)
    _note(simulation, "cannot be opened", lambda: setattr(provider.host, "open_error", None), provider.name)


def lose_key(simulation: Simulation) -> None:
    """Make the key wrong or missing for a while. All accounts use the same key."""
    simulation.machine.environ[KEY_VARIABLE] = simulation.rng.choice(["sk-another-key-000", ""])
    _note(simulation, KEY_LOST, lambda: simulation.machine.environ.update({KEY_VARIABLE: KEY}))


def skew(simulation: Simulation) -> None:
    """Make one provider's clock wrong for a while, by little or by much. The desired states do not depend on clocks."""
    provider = any_provider(simulation)
    provider.host.skew = timedelta(seconds=simulation.rng.choice([-7200, -240, 240, 301, 7200]))
    simulation.note_event("clocks disagree", f"{provider.name} by {provider.host.skew}")
    simulation.later(_seconds(simulation), lambda: setattr(provider.host, "skew", timedelta(0)))


def fill_disk(simulation: Simulation) -> None:
    """Let every write fail for a while, because the disk is full."""
    simulation.machine.failing_writes = 10**6
    _note(
        simulation,
        "disk full",
        lambda: setattr(simulation.machine, "failing_writes", 0),
        seconds=simulation.rng.choice([5.0, 90.0]),
    )


def refuse_reads(simulation: Simulation) -> None:
    """Let the disk refuse one file, or a whole directory, for a while."""
    root, files = simulation.rng.choice([(SPECS, simulation.revision.files()), (STATUSES, simulation.statuses())])
    path = simulation.rng.choice([root, *(root / each for each in sorted(files))])
    number = simulation.rng.choice(_REFUSALS)

    def refuse(asked: Path) -> int | None:
        return number if asked == path else None

    def end() -> None:
        if simulation.machine.refuse is refuse:
            simulation.machine.refuse = lambda _: None

    simulation.machine.refuse = refuse
    _note(simulation, "disk refuses", end, seconds=simulation.rng.choice([3.0, 70.0, 200.0]))


def git_away(simulation: Simulation) -> None:
    """Let every push fail for a while, either at once or after 20 s."""
    branch = _branch(simulation)
    branch.is_away, branch.takes_s = True, simulation.rng.choice([0.1, 20.0])
    _note(simulation, "remote away", branch.mend)


def git_slow(simulation: Simulation) -> None:
    """Let every push be slow for a while."""
    branch = _branch(simulation)
    branch.takes_s = simulation.rng.choice([5.0, 50.0])
    _note(simulation, "remote slow", branch.mend)


def missed_events(simulation: Simulation) -> None:
    """Let the watcher miss changes of the specs for a while, whether or not it reports that it is dead."""
    simulation.notifier.drops_changes, simulation.notifier.is_alive = True, simulation.rng.random() < 0.5
    _note(
        simulation,
        EVENTS_MISSED if simulation.notifier.is_alive else f"{EVENTS_MISSED}, and known to be",
        simulation.notifier.recover,
    )


def break_settings(simulation: Simulation) -> None:
    """Make Settings invalid, or suspend everything, for a while."""
    is_broken = simulation.rng.random() < 0.5
    simulation.edit("Settings", replace(simulation.revision, is_settings_broken=is_broken, is_suspended=not is_broken))
    simulation.later(_seconds(simulation), lambda: mend_settings(simulation))


def go_down(simulation: Simulation) -> None:
    """Let the machine go down within the next effects."""
    simulation.life.crash_before = simulation.life.effects + simulation.rng.choice(
        [0, simulation.rng.randrange(12), simulation.rng.randrange(60)]
    )


def ask_for_retry(simulation: Simulation) -> None:
    """Request the next attempt of any job."""
    request_retry(simulation, any_job_spec(simulation).name)


def lose_cancel(simulation: Simulation) -> None:
    """Accept the next cancel of an account without an effect. A person requests a retry 30 s or 90 s later."""
    provider = any_provider(simulation)
    provider.faults.add(FAULTS.validate_python([{"fault": "lost-cancel", "on": "cancel", "times": 1}]))
    going_on = [each for each in _of(simulation, provider.name) if _truth(simulation, each) == "running"]
    if job_specs := [each for each in going_on if each.desired != "cancelled"]:
        name = simulation.rng.choice(job_specs).name
        simulation.edit(f"{name}: -> cancelled", simulation.revision.changed(name, desired="cancelled"))
        simulation.later(simulation.rng.choice([30.0, 90.0]), lambda: request_retry(simulation, name))


def request_retry(simulation: Simulation, name: str) -> None:
    """Request the next attempt of this job, as a person does."""
    simulation.asked.add(name)
    simulation.history.events.append(RetryRequested(simulation.clock.now(), name))


def _rule(simulation: Simulation, kind: str, rule: dict[str, Any], account: str, job_id: str | None = None) -> None:
    seconds = _seconds(simulation)
    _begin_rule(simulation, rule, account)(seconds)
    until = simulation.clock.now() + timedelta(seconds=seconds)
    simulation.history.events.append(Disruption(simulation.clock.now(), kind, until, account, job_id))


def _begin_rule(simulation: Simulation, rule: dict[str, Any], account: str) -> Callable[[float], None]:
    faults = simulation.providers[account].faults
    (fault,) = FAULTS.validate_python([rule])
    faults.add([fault])
    return lambda seconds: simulation.later(seconds, lambda: faults.remove(fault))


def _note(
    simulation: Simulation,
    kind: str,
    end: Callable[[], object],
    account: str | None = None,
    *,
    seconds: float | None = None,
) -> None:
    """Record a fault that has begun, and end it after a while."""
    lasts_s, now = _seconds(simulation) if seconds is None else seconds, simulation.clock.now()
    simulation.history.events.append(Disruption(now, kind, now + timedelta(seconds=lasts_s), account))
    simulation.later(lasts_s, end)


def _seconds(simulation: Simulation) -> float:
    return simulation.rng.choice(_LASTING_S)


def _branch(simulation: Simulation) -> Branch:
    return simulation.machine.branch or Branch()


def _of(simulation: Simulation, account: str) -> list[JobSpec]:
    return [each for each in simulation.revision.valid() if each.account == account]


def _truth(simulation: Simulation, job_spec: JobSpec) -> str:
    return simulation.history.truth(job_spec.account, job_spec.job_id, simulation.clock.now())
