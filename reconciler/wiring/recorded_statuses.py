"""Read the statuses, and compare them with the current specs."""

from __future__ import annotations

from dataclasses import replace

from reconciler.controller.read_statuses import read_rows
from reconciler.controller.run_options import Paths, Selection
from reconciler.local.clock import SystemClock
from reconciler.model.report import Report
from reconciler.wiring.freshness import last_pass_of
from reconciler.wiring.indexes import reading_specs_index, reading_status_index
from reconciler.wiring.offline_policy import StatusReaderPolicy
from reconciler.wiring.operator_setup import operator_rules
from reconciler.wiring.selection import check_selection
from reconciler.wiring.sources import specs_dir, status_store


def read_statuses(paths: Paths, selection: Selection) -> Report:
    """Return a report with the last status of each selected spec. No credential or network is needed.

    If a spec has changed since its status was written, its row is `OutOfDate`. Raises the errors of `operator_rules`
    and `check_selection`.
    """
    stored = status_store(paths, reading_status_index(paths)).load()
    snapshot = specs_dir(paths, reading_specs_index(paths)).snapshot()
    policy = StatusReaderPolicy(paths, operator_rules(paths), stored.jobs, snapshot.providers)
    report = read_rows(snapshot, stored, policy, selection.predicate(), SystemClock().now())
    report = replace(report, last_pass=last_pass_of(paths), notices=(*report.notices, *policy.notices()))
    return check_selection(report, selection, snapshot)
