"""Short runs that a test writes out: a world of a few jobs, the faults in it, and the results."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from reconciler.sandbox.faults import FAULTS
from tests.scenario.batch_services import batches_of, is_of_batches
from tests.scenario.history import FileWritten, History, PassEnded, ProviderRequest
from tests.scenario.oracles.status_yaml import OVER, Tree, read, ready
from tests.scenario.repository import JobSpec, Revision
from tests.scenario.seeded_jobs import declared
from tests.scenario.simulation import Pass, Scenario, Simulation, Sleep, Step, TimedInjection

ACCOUNT = "one"
BATCHES = batches_of(ACCOUNT)
KINDS = (ACCOUNT, BATCHES)
URL = "http://one.localhost/v1"
RUNNING: list[dict[str, str]] = [{"phase": "running"}]


def a_job_spec(job_id: str = "ftjob-a", desired: str = "cancelled", **more: Any) -> JobSpec:
    """Return a spec for a fine-tuning job, which is named after the job."""
    name = job_id.removeprefix("ftjob-")
    facts: dict[str, Any] = {"name": f"job-{name}", "file": f"job-{name}.yaml", "account": ACCOUNT, "job_id": job_id}
    return JobSpec(**{**facts, "desired": desired, **more})


def a_batch_spec(job_id: str = "batch_a", desired: str = "cancelled", **more: Any) -> JobSpec:
    """Return a spec for a batch, which is named after the batch."""
    name = f"batch-{job_id.removeprefix('batch_')}"
    return a_job_spec(job_id, desired, **{"name": name, "file": f"{name}.yaml", "account": BATCHES} | more)


def a_scenario(
    *job_specs: JobSpec,
    steps: Iterable[Step],
    jobs: Mapping[str, dict[str, Any]] | None = None,
    schedule: Iterable[TimedInjection] = (),
) -> Scenario:
    """Return a run in which each spec's job runs forever, unless `jobs` has another life for it."""
    ids = {
        account: sorted({each.job_id for each in job_specs if each.is_batch is is_of_batches(account)})
        for account in KINDS
    }
    return Scenario(
        seed=0,
        worlds={
            account: declared(
                account, {each: {"age": "1h", "life": RUNNING, **(jobs or {}).get(each, {})} for each in ids[account]}
            )
            for account in KINDS
            if account == ACCOUNT or ids[account]
        },
        revision=Revision(job_specs=job_specs, accounts={ACCOUNT: URL}),
        steps=tuple(steps),
        schedule=tuple(schedule),
    )


def every(seconds: float, times: int) -> tuple[Step, ...]:
    """Return `times` passes, each followed by a sleep of `seconds`."""
    return (Pass(), Sleep(seconds)) * times


def fault(after_s: float = 0.0, **rule: Any) -> TimedInjection:
    """Return a fault of the account `one` that begins `after_s` seconds after the start of the run."""

    def begin(simulation: Simulation) -> None:
        simulation.providers[ACCOUNT].faults.add(FAULTS.validate_python([rule]))

    return TimedInjection(after_s, begin)


def healed(after_s: float) -> TimedInjection:
    """Return the end of all faults."""
    return TimedInjection(after_s, Simulation.end_faults)


def last_status(history: History, name: str) -> Tree:
    """Return a job's status at the end of the run."""
    found = read(history.left.statuses[f"{name}.yaml"])
    assert found is not None
    return found


def reason(history: History, name: str) -> str:
    """Return the reason of a job's `Ready` condition at the end of the run."""
    found: str = ready(last_status(history, name))["reason"]
    return found


def cancels(history: History, job_id: str | None = None, account: str | None = None) -> list[timedelta]:
    """Return when the provider received cancels, since the start of the run: of one job or account, if it is given."""
    return [
        each.at - history.began_at
        for each in history.events
        if isinstance(each, ProviderRequest)
        and each.verb == "cancel"
        and job_id in {None, each.job_id}
        and account in {None, each.account}
    ]


def writes(history: History) -> list[FileWritten]:
    """Return every write of a status."""
    return [each for each in history.events if isinstance(each, FileWritten)]


def was_ever_ready_while_running(history: History, name: str) -> bool:
    """Return whether a pass reported the status as Ready before the job had ended."""
    trees = [
        (each.at, read(each.statuses.get(f"{name}.yaml", b"")))
        for each in history.events
        if isinstance(each, PassEnded)
    ]
    return any(
        tree is not None
        and ready(tree)["status"] == "True"
        and history.truth(ACCOUNT, tree["status"]["job"]["id"], at) not in OVER
        for at, tree in trees
    )
