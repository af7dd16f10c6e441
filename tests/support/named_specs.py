"""Specs and statuses by name, and the input of a pass that reads them."""

from __future__ import annotations

from typing import Any

from reconciler.controller.desired_specs import DesiredSpecs, load_desired_specs
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.run_options import RunOptions, Selection
from reconciler.model.job import Phase
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import JobFacts, JobStatus
from reconciler.ports import Located, Snapshot
from tests.support.build import ACCOUNT, a_spec, a_status
from tests.support.documents import located
from tests.support.in_memory import Specs, Statuses, World


def a_named_spec(name: str, **spec: Any) -> Located[FineTuningJob]:
    """Return a spec that requests the cancel of its job, in a file with its name."""
    return located(a_spec(name, **{"jobId": f"ftjob-{name}"} | spec), f"{name}.yaml")


def a_named_status(name: str, **facts: Any) -> JobStatus:
    """Return the status that belongs to the spec with this name. Its job was last observed running."""
    job = JobFacts(account=str(ACCOUNT), id=f"ftjob-{name}", provider_status="running")
    usual = {"source": f"{name}.yaml", "phase": Phase.RUNNING, "final": False, "job": job}
    return a_status(name, **usual | facts)


def a_world(*names: str, statuses: Statuses | None = None, **rest: Any) -> World:
    """Return a world with a spec for each name. `rest` has more fields of the snapshot."""
    jobs = tuple(map(a_named_spec, names))
    return World(specs=Specs(Snapshot(jobs=jobs, **rest)), statuses=statuses or Statuses())


def loaded(world: World, options: RunOptions | None = None, *, by_content: bool = True, **rest: Any) -> DesiredSpecs:
    """Return the input of a pass in this world. `rest` has more fields of the runtime."""
    return load_desired_specs(world.runtime(**rest), options or RunOptions(), ResolutionCache(), by_content=by_content)


def only(*names: str) -> RunOptions:
    """Return the options of a run that selects these specs."""
    return RunOptions(is_selected=Selection(names=names).predicate())
