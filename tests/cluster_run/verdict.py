"""Judge a run from the requests that arrived, the jobs, and the published statuses. Pure functions.

Times are in monotonic seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from reconciler.model.job import Phase
from tests.cluster_run.provider import Arrival
from tests.support.markdown_table import table


@dataclass(frozen=True, slots=True)
class Quiet:
    """A time in which no replica, or one of them, may send a request. `sender` is None for all of them."""

    begin: float
    end: float
    why: str
    sender: str | None = None


@dataclass(frozen=True, slots=True)
class Takeover:
    """How a shard got a leader again after a fault.

    `leads_after_s` is the time from the fault, or None if no replica led in time. `leader` is the replica that led, or
    None if the fault concerned all shards.
    """

    fault: str
    at: float
    leads_after_s: float | None
    leader: str | None = None

    def requests_after_s(self, arrivals: Sequence[Arrival]) -> float | None:
        """Return the seconds from the fault to the first request of the new leader, or None if it sent none."""
        return next((each.at - self.at for each in arrivals if each.at > self.at and each.sender == self.leader), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What is known at the end of a run."""

    wanted_at: Mapping[str, float]
    """When the cancel of a job was pushed, by the id of the job."""
    arrivals: Sequence[Arrival]
    phases: Mapping[str, Phase]
    cancelled: Collection[str]
    """The jobs whose published status says that their cancel was confirmed."""
    statuses: Collection[str]
    """The jobs with a published status."""
    quiet: Sequence[Quiet]
    takeovers: Sequence[Takeover]


def problems(run: Evidence) -> Iterator[str]:
    """Yield each broken promise as a sentence."""
    asked = Counter(each.cancels for each in run.arrivals if each.cancels is not None)
    yield from _lost_or_repeated(run, asked)
    yield from _unwanted(run, asked)
    for job_id in sorted(run.phases.keys() - set(run.statuses)):
        yield f"{job_id} has no published status"
    for each in run.quiet:
        sent = [at for at in run.arrivals if each.begin < at.at < each.end and each.sender in (None, at.sender)]
        if sent:
            yield f"{len(sent)} requests, the first by {sent[0].sender}, {sent[0].at - each.begin:.1f} s {each.why}"
    yield from (f"after {each.fault}, no replica led in time" for each in run.takeovers if each.leads_after_s is None)


def _lost_or_repeated(run: Evidence, asked: Mapping[str, int]) -> Iterator[str]:
    for job_id in sorted(run.wanted_at):
        if asked[job_id] != 1:
            yield f"{job_id}: the cancel was requested {asked[job_id]} times"
        if run.phases.get(job_id) is not Phase.CANCELLED:
            yield f"{job_id} should be cancelled and is {run.phases.get(job_id)}"
        if job_id not in run.cancelled:
            yield f"{job_id}: the published status does not say that it is cancelled"


def _unwanted(run: Evidence, asked: Mapping[str, int]) -> Iterator[str]:
    for job_id in sorted(run.phases.keys() - run.wanted_at.keys()):
        if asked[job_id] or run.phases[job_id] is not Phase.RUNNING or job_id in run.cancelled:
            yield f"{job_id} should continue and is {run.phases[job_id]}, after {asked[job_id]} requests for its cancel"


def figures(run: Evidence) -> str:
    """Return the times as a table in Markdown."""
    rows = [("from the push of a cancel to its request", *_spread(latencies(run)))]
    for fault in dict.fromkeys(each.fault for each in run.takeovers):
        of_fault = [each for each in run.takeovers if each.fault == fault]
        rows.append((f"from {fault} until a replica leads", *_spread([each.leads_after_s for each in of_fault])))
        rows.append(
            (f"from {fault} to its first request", *_spread([each.requests_after_s(run.arrivals) for each in of_fault]))
        )
    shown = [row for row in rows if row[1]]
    return table(("Time", "Times measured", "Median, s", "Maximum, s"), *shown)


def latencies(run: Evidence) -> list[float]:
    """Return the seconds from the push of each cancel to its request."""
    first: dict[str, float] = {}
    for each in run.arrivals:
        if each.cancels is not None:
            first.setdefault(each.cancels, each.at)
    return [first[job_id] - at for job_id, at in run.wanted_at.items() if job_id in first]


def _spread(times: Sequence[float | None]) -> tuple[str, str, str]:
    known = [each for each in times if each is not None]
    return (str(len(known)), f"{median(known):.1f}", f"{max(known):.1f}") if known else ("", "", "")
