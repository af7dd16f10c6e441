"""Whether the jobs of each kind have their own statuses, and whether a status reports how a batch ended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.scenario.batch_services import WITHOUT_EXPIRY, kind_of
from tests.scenario.history import Crashed, Edited, FileRemoved, FileWritten, History, PassEnded, Tampered
from tests.scenario.oracles.status_yaml import Tree, is_job, job_of, read, ready
from tests.scenario.oracles.statuses import status_of
from tests.scenario.repository import JobSpec

_COUNTERS = ("counts", "tokens", "trainedTokens")
_OF_ONE_KIND = {
    "FineTuningJob": frozenset({"fineTunedModel", "trainedTokens"}),
    "BatchJob": frozenset({"outputFile", "expiresAt", "counts", "tokens"}),
}
EXPIRED = "expired"


def mixed_kinds(history: History) -> Iterator[str]:
    """Yield the statuses whose kind is not that of any spec of their name, or not that of the job that they report."""
    lines: dict[str, str] = {}
    named: dict[str, set[str]] = {}
    for event in history.events:
        match event:
            case Edited(revision=revision):
                lines = revision.lines()
                for job_spec in revision.job_specs:
                    named.setdefault(job_spec.name, set()).add(kind_of(job_spec.account))
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)):
                kind, name, job = tree["kind"], tree["metadata"]["name"], tree["status"]["job"] or {}
                if kind not in named.get(name, {kind}):
                    yield f"{event.at:%T} {path} is a {kind}, and no spec of this kind ever had its name"
                if job and kind_of(lines[job["account"]]) != kind:
                    yield f"{event.at:%T} {path} is a {kind}, and its job is in the account {job['account']}"
                foreign = [each for other, keys in _OF_ONE_KIND.items() if other != kind for each in keys & job.keys()]
                if foreign:
                    yield f"{event.at:%T} {path} is a {kind}, and has {sorted(foreign)}"


def counters_written(history: History) -> Iterator[str]:
    """Yield the writes of statuses that changed nothing but counters, which change all the time."""
    stood: dict[str, Tree] = {}
    for event in history.events:
        match event:
            case Crashed():
                stood.clear()
            case Tampered(path=path) | FileRemoved(path=path):
                stood.pop(path, None)
            case FileWritten(path=path, data=data) if is_job(path) and (tree := read(data)):
                before = stood.get(path)
                if before is not None and before != tree and _without_counters(before) == _without_counters(tree):
                    yield f"{event.at:%T} {path} was written, although only its counters changed"
                stood[path] = tree


def _without_counters(tree: Tree) -> dict[str, Any]:
    status = tree["status"]
    job = status["job"] and {key: value for key, value in status["job"].items() if key not in _COUNTERS}
    return {**tree, "digest": None, "status": {**status, "job": job}}


def untold_end(history: History) -> Iterator[str]:
    """Yield the batches whose final status does not report that they expired, or the error that ended them."""
    last = history.left
    if not isinstance(last, PassEnded):
        return
    revision = next(each.revision for each in reversed(history.events) if isinstance(each, Edited))
    for job_spec in revision.valid():
        tree = status_of(job_spec, last.statuses) if job_spec.is_batch else None
        job = tree["status"]["job"] if tree is not None else None
        if tree is None or job is None or job_of(tree) is None or not tree["status"]["final"]:
            continue
        phase, error = tree["status"]["phase"], job["error"] or {}
        tells_expiry = revision.service(job_spec.account).type not in WITHOUT_EXPIRY
        has_expired = tells_expiry and phase == "failed" and _has_expired(history, job_spec, last)
        if has_expired and error.get("code") != EXPIRED:
            yield f"{job_spec.name} has expired, and its error is {error}"
        if (
            ready(tree)["reason"] == "JobFailed"
            and error.get("message")
            and error["message"] not in ready(tree)["message"]
        ):
            yield f"{job_spec.name} has a Ready message without its error {error['message']!r}"


def _has_expired(history: History, job_spec: JobSpec, last: PassEnded) -> bool:
    world = history.worlds[job_spec.account]
    return (
        history.truth(job_spec.account, job_spec.job_id, last.at) == "failed"
        and world.retrieve(job_spec.job_id, last.at).job.error.code == EXPIRED
        and not world.cuts.get(job_spec.job_id)
    )
