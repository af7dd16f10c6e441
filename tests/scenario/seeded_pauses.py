"""A run from a seed in which jobs are often paused, by their specs, by other users and by their providers.

Rules: as in `seeded_run`, a seed always produces the same run, which ends without faults for long enough. The other
runs have few pauses, because few provider types can pause jobs.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

from tests.contract.dialects.services import AZURE_V1, OPENAI, PASS_THROUGH
from tests.scenario import injections
from tests.scenario.injections import Injector
from tests.scenario.repository import JobSpec
from tests.scenario.seeded_jobs import Life, declared, id_of, jobs_of
from tests.scenario.seeded_run import first_revision, steps_until_settled
from tests.scenario.simulation import EndFaults, Scenario, Simulation, Sleep, TimedInjection

ACCOUNT = "one"
SERVICES = (OPENAI, AZURE_V1, PASS_THROUGH)
"""The services that can pause jobs."""
DESIRED = ("running", "running", "running", "paused", "observed", "cancelled")
LIVES: tuple[Life, ...] = (
    [{"phase": "running"}],
    [{"phase": "queued", "for": "10m"}, {"phase": "running"}],
    [{"phase": "running", "for": "5m"}, {"phase": "paused"}],
    [{"phase": "running", "for": "20m"}, {"phase": "paused"}],
    [{"phase": "running", "for": "70m"}, {"phase": "pausing", "for": "10m"}, {"phase": "paused"}],
    [{"phase": "paused"}],
)


def change_desired_state(simulation: Simulation) -> None:
    """Change the desired state of a job, to `running` in half of the cases."""
    job_spec, desired = injections.any_job_spec(simulation), simulation.rng.choice(DESIRED)
    edited = simulation.revision.changed(job_spec.name, desired=desired)
    simulation.edit(f"{job_spec.name}: {job_spec.desired} -> {desired}", edited)


_HAPPENINGS: tuple[Injector, ...] = (
    *(injections.change_outside,) * 8,
    *(change_desired_state,) * 6,
    *(injections.suspend,) * 2,
    injections.limit,
    injections.rename,
    injections.toggle_typo,
    injections.toggle_suspension,
    injections.damage_status,
    injections.refuse_reads,
    injections.lose_key,
    injections.outage,
    *(injections.fault,) * 4,
)


def scenario(seed: int) -> Scenario:
    """Return the run of a seed."""
    rng = random.Random(f"pauses {seed}")  # noqa: S311  repeatable, not secret
    services = {ACCOUNT: rng.choice(SERVICES)}
    job_specs = tuple(
        JobSpec(
            name=f"job-{number:02}",
            file=f"job-{number:02}.yaml",
            account=ACCOUNT,
            job_id=id_of(services[ACCOUNT], ACCOUNT, number),
            desired=rng.choice(DESIRED),
        )
        for number in range(rng.randrange(2, 7))
    )
    jobs = jobs_of(rng, len(job_specs), services[ACCOUNT], LIVES)
    world = declared(ACCOUNT, dict(zip((each.job_id for each in job_specs), jobs, strict=True)))
    steps = tuple(steps_until_settled(rng, may_crash=True))
    trouble_s = sum(step.seconds for step in steps[: steps.index(EndFaults())] if isinstance(step, Sleep))
    return Scenario(
        seed=seed,
        worlds={ACCOUNT: world},
        revision=first_revision(job_specs, services),
        steps=steps,
        schedule=tuple(_happenings(rng, trouble_s)),
    )


def _happenings(rng: random.Random, within_s: float) -> Iterator[TimedInjection]:
    for _ in range(rng.randrange(8, 20)):
        yield TimedInjection(rng.uniform(0, within_s), rng.choice(_HAPPENINGS))
