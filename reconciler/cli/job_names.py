"""Jobs by the names that a person types."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path

import click

from reconciler import wiring
from reconciler.cli.option_values import Given, place
from reconciler.cli.options import Shared
from reconciler.controller.run_options import Place, Selection
from reconciler.model.report import Report
from reconciler.model.spec import FineTuningJob
from reconciler.ports import Located


def complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the jobs that a shell may go on with: those that the specs name."""
    specs = Shared.given(ctx, "specs")
    snapshot = wiring.read_specs(Place(specs if isinstance(specs, Path) else Path(str(specs))))
    found = {each.document.metadata.name for each in snapshot.jobs} | {each.name for each in snapshot.broken_jobs}
    return sorted(name for name in found if name.startswith(incomplete))


NAME = click.argument("name", shell_complete=complete_name)
NAMES = click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_name)
ANY_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_name)


def check_names(names: Sequence[str], known: Collection[str]) -> None:
    """Raise `UsageError` for a name that no spec has, with the one that was probably meant."""
    for name in names:
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "`reconcile get` lists them all"
            msg = f"no job is called {name!r}; {hint}"
            raise wiring.UsageError(msg)


def read_named(given: Given, names: Sequence[str]) -> Report:
    """Return what the statuses say of these jobs. Raises `UsageError` for a name that no spec has."""
    report = wiring.read_statuses(place(given), Selection())
    check_names(names, {row.name for row in report.rows})
    return replace(report, rows=tuple(row for row in report.rows if row.name in names))


def find_specs(given: Given, names: Sequence[str]) -> list[Located[FineTuningJob]]:
    """Return the spec of each name. Raises `UsageError` where there is not exactly one that is valid."""
    snapshot = wiring.read_specs(place(given))
    broken = {each.name: each for each in snapshot.broken_jobs}
    check_names(names, {each.document.metadata.name for each in snapshot.jobs} | set(broken))
    found = []
    for name in dict.fromkeys(names):
        specs = [each for each in snapshot.jobs if each.document.metadata.name == name]
        if name in broken:
            msg = f"the spec of {name!r} is not valid, so it is not edited: {broken[name].diagnostics[0]}"
            raise wiring.UsageError(msg)
        if len(specs) > 1:
            places = " and ".join(f"{place(given).specs / each.file}:{each.line}" for each in specs)
            msg = f"the name {name!r} stands at {places}: which one is meant?"
            raise wiring.UsageError(msg)
        found += specs
    return found
