"""Read the statuses, and compare them with the current specs."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.read_statuses import read_rows
from reconciler.controller.run_options import Paths, Selection
from reconciler.local.clock import SystemClock
from reconciler.model.job_identity import job_identity
from reconciler.model.report import Report
from reconciler.ports import ARCHIVE, Snapshot, StoredStatuses
from reconciler.wiring.freshness import last_pass_of
from reconciler.wiring.indexes import reading_specs_index, reading_status_index
from reconciler.wiring.offline_policy import StatusReaderPolicy
from reconciler.wiring.operator_setup import operator_rules
from reconciler.wiring.selection import check_selection
from reconciler.wiring.sources import specs_dir, status_store


def read_statuses(paths: Paths, selection: Selection, *, is_archived: bool = False) -> Report:
    """Return a report with the last status of each selected spec. No credential or network is needed.

    If a spec has changed since its status was written, its row is `OutOfDate`. With `is_archived`, the specs and the
    statuses are those of the archive. Raises the errors of `operator_rules` and `check_selection`.
    """
    stored = _archived(paths) if is_archived else status_store(paths, reading_status_index(paths)).load()
    snapshot = specs_dir(paths, reading_specs_index(paths)).snapshot()
    if is_archived:
        snapshot = replace(archived_specs(paths), providers=snapshot.providers)
    policy = StatusReaderPolicy(paths, operator_rules(paths), stored.jobs, snapshot.providers)
    report = read_rows(snapshot, stored, policy, selection.predicate(), SystemClock().now())
    report = replace(report, last_pass=last_pass_of(paths), notices=(*report.notices, *policy.notices()))
    return check_selection(report, selection, snapshot)


def archived_specs(paths: Paths) -> Snapshot:
    """Return the documents in the archive, or none if there is no archive."""
    root = paths.specs / ARCHIVE
    return specs_dir(replace(paths, specs=root, status_dir=None)).snapshot() if root.is_dir() else Snapshot()


def archived_jobs(paths: Paths) -> frozenset[tuple[str, str]]:
    """Return the account line and the id of each job with a status in the archive."""
    return frozenset(job_identity(each.job) for each in _archived(paths).jobs if each.job is not None)


def _archived(paths: Paths) -> StoredStatuses:
    return status_store(paths, folder=ARCHIVE).load()
