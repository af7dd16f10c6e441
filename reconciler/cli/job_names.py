"""Arguments that name jobs: completion, checks, and the lookup of statuses and specs by name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli.option_values import OptionValues, paths
from reconciler.cli.options import Shared
from reconciler.controller.run_options import Paths, Selection
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.kind import JobDocument
from reconciler.model.report import Report
from reconciler.ports import Located
from reconciler.views.text import did_you_mean


def complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the job names in the specs that begin with this text, for shell completion."""
    specs = Shared.value_of(ctx, "specs")
    snapshot = wiring.read_specs(Paths(specs if isinstance(specs, Path) else Path(str(specs))))
    found = {each.document.metadata.name for each in snapshot.jobs} | {each.name for each in snapshot.broken_jobs}
    return sorted(name for name in found if name.startswith(incomplete))


NAME = click.argument("name", shell_complete=complete_name)
NAMES = click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
ANY_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)


def check_names(names: Sequence[str], known: Collection[str], diagnostics: Sequence[Diagnostic] = ()) -> None:
    """Raise `UsageError` if a name is unknown. The message suggests similar names.

    Args:
        names: the names to check.
        known: the names of all specs.
        diagnostics: the diagnostics of the documents. If `known` is empty, the first one is the likely cause, and the
            message quotes it.
    """
    for name in names:
        if name not in known:
            cause = f"{diagnostics[0]}." if diagnostics and not known else ""
            hint = cause or did_you_mean(name, known) or "`reconcile get` lists all jobs."
            msg = f"no job is called {name!r}. {hint}"
            raise wiring.UsageError(msg)


def read_statuses_of(values: OptionValues, names: Sequence[str]) -> Report:
    """Return a report with the statuses of these jobs. Raises `UsageError` if no spec has one of the names."""
    report = wiring.read_statuses(paths(values), Selection())
    check_names(names, {row.name for row in report.rows}, report.diagnostics)
    return replace(report, rows=tuple(row for row in report.rows if row.name in names))


def find_specs(values: OptionValues, names: Sequence[str]) -> list[Located[JobDocument]]:
    """Return the spec of each name. Raises `UsageError` if a name has no valid spec, or more than one."""
    snapshot = wiring.read_specs(paths(values))
    broken = {each.name: each for each in snapshot.broken_jobs}
    known = {each.document.metadata.name for each in snapshot.jobs} | set(broken)
    check_names(names, known, snapshot.diagnostics)
    found = []
    for name in dict.fromkeys(names):
        specs = [each for each in snapshot.jobs if each.document.metadata.name == name]
        if name in broken:
            msg = f"the spec of {name!r} is not valid, so it cannot be edited: {broken[name].diagnostics[0]}"
            raise wiring.UsageError(msg)
        if len(specs) > 1:
            places = " and ".join(f"{paths(values).specs / each.file}:{each.line}" for each in specs)
            msg = f"the name {name!r} is not unique: it is used in {places}"
            raise wiring.UsageError(msg)
        found += specs
    return found
