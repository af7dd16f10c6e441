"""Arguments that name jobs: completion, checks, and the lookup of statuses and specs by name."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

import click

from reconciler import wiring
from reconciler.cli.choices import JobName, kind_called, written_kinds
from reconciler.cli.found_specs import chosen_specs
from reconciler.cli.group import VERBS
from reconciler.cli.option_values import OptionValues, paths, selection
from reconciler.cli.shared_option import Shared
from reconciler.controller.run_options import Paths, Selection
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.exit_code import ExitCode, worst
from reconciler.model.kind import JobDocument
from reconciler.model.report import Report
from reconciler.ports import BrokenJob, Located, Snapshot
from reconciler.views.text import did_you_mean


def complete_name(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
    """Return the names of specs that begin with this text, for shell completion. With `--kind`, only of that kind."""
    snapshot = wiring.read_specs(Paths(chosen_specs(ctx)))
    kind = kind_called(str(Shared.value_of(ctx, "kind")))
    found = (name for name, kinds in _kinds_by_name(snapshot).items() if kind is None or kind in kinds)
    return sorted(name for name in found if name.startswith(incomplete))


NAME = click.argument("name", type=JobName(), metavar="NAME", shell_complete=complete_name)
ANY_NAMES = click.argument("names", type=JobName(), nargs=-1, metavar="[NAME]...", shell_complete=complete_name)


NOTHING_SELECTED = "no job matches the options: `reconcile get` lists all jobs"
TYPE_WORDS = ("all", "job", "jobs", "pod", "pods", "app", "apps")
"""Words that other tools expect between a verb and a name."""


def _type_hint(name: str) -> str:
    """Return how to leave out the type of an object, or which verb shows it, as for `get jobs` and `get events`."""
    kind = kind_called(name)
    if kind is not None:
        return f"To limit the command to this kind, use --kind {kind}."
    if name in VERBS:
        return f"Did you mean `reconcile {name}`?"
    return "Write the name alone, without a type. `reconcile get` lists all jobs." * (name in TYPE_WORDS)


def check_names(
    values: OptionValues, names: Sequence[str], known: Collection[str], diagnostics: Sequence[Diagnostic] = ()
) -> None:
    """Raise `UsageError` if a name is unknown.

    The message says whether a spec has the name that the options do not select. Otherwise it suggests similar names.

    Args:
        values: the option values.
        names: the names to check.
        known: the names of the specs that the options select.
        diagnostics: the diagnostics of the documents. If `known` is empty, the message quotes the first
            diagnostic, which is the likely cause.
    """
    _check_written_kinds(values, names)
    for name in names:
        if name not in known:
            _check_is_selected(values, name)
            cause = f"{diagnostics[0]}." if diagnostics and not known else ""
            hint = cause or _type_hint(name) or did_you_mean(name, known) or "`reconcile get` lists all jobs."
            msg = f"no job is called {name!r}. {hint}"
            raise wiring.UsageError(msg)


def _check_written_kinds(values: OptionValues, names: Sequence[str]) -> None:
    """Raise `UsageError` if a name was written with a kind that no spec of this name has."""
    written = written_kinds(click.get_current_context())
    found = _kinds_by_name(wiring.read_specs(paths(values))) if written else {}
    for name in names:
        kinds = found.get(name)
        if kinds and name in written and written[name] not in kinds:
            msg = f"{name!r} is a {kinds[0]}, not a {written[name]}. Omit the kind, or write {kinds[0].lower()}/{name}."
            raise wiring.UsageError(msg)


def _check_is_selected(values: OptionValues, name: str) -> None:
    """Raise `UsageError` if a spec has this name, but the options select jobs and leave it out."""
    chosen = selection(values)
    kinds = _kinds_by_name(wiring.read_specs(paths(values))).get(name) if chosen != Selection() else None
    if not kinds:
        return
    if chosen.kind is not None and chosen.kind not in kinds:
        msg = f"{name!r} is a {kinds[0]}, not a {chosen.kind}. Omit --kind, or use --kind {kinds[0]}."
        raise wiring.UsageError(msg)
    msg = f"the job {name!r} exists, but does not match --selector and --provider."
    raise wiring.UsageError(msg)


def read_required_statuses(values: OptionValues, names: Sequence[str]) -> Report:
    """Return a report with the statuses of the jobs that the names and options select, which must be at least one.

    Raises `UsageError` if there is no such job, or neither a name nor an option that selects jobs.
    """
    _require_selection(values, names)
    report = read_statuses_of(values, names)
    if not report.rows:
        raise wiring.UsageError(next(reversed(report.notices), NOTHING_SELECTED))
    return report


def _require_selection(values: OptionValues, names: Sequence[str]) -> None:
    if not names and selection(values) == Selection():
        msg = "Name a job, or select jobs with --selector, --provider or --kind."
        raise click.UsageError(msg)


def read_statuses_of(values: OptionValues, names: Sequence[str]) -> Report:
    """Return a report with the statuses of these jobs, or without names of all jobs that the options select.

    Raises `UsageError` if a name is not that of a selected spec, and the errors of `wiring.read_statuses`.
    """
    report = wiring.read_statuses(paths(values), selection(values), is_archived=bool(values.get("archived")))
    check_names(values, names, {row.name for row in report.rows}, report.diagnostics)
    return replace(report, rows=tuple(row for row in report.rows if row.name in names)) if names else report


def reading_exit_code(report: Report) -> ExitCode:
    """Return the exit code of a verb that reads statuses.

    If there are no rows, an error in a document is the likely cause, so the verb must not exit with 0.
    """
    is_unread = not report.rows and any(each.severity is Severity.ERROR for each in report.diagnostics)
    return worst(report.exit_codes | {ExitCode.INVALID_DOCUMENT}) if is_unread else report.exit_code


def require_one_kind(values: OptionValues, name: str, kinds: Mapping[str, str]) -> None:
    """Raise `UsageError` if specs of several kinds have this name. `kinds` maps each of these kinds to its file."""
    if len(kinds) > 1:
        uses = " and ".join(f"a {kind} in {paths(values).specs / place}" for kind, place in kinds.items())
        msg = (
            f"the name {name!r} is not unique: it is used for {uses}. To choose one for this command, pass "
            "--kind. No change is requested for either job until one of the specs is renamed."
        )
        raise wiring.UsageError(msg)


def find_specs(values: OptionValues, names: Sequence[str]) -> list[Located[JobDocument]]:
    """Return the spec of each name, or without names each spec that the options select.

    Raises `UsageError` if a name has no valid spec, or more than one, or if nothing is selected.
    """
    _require_selection(values, names)
    snapshot, chosen = wiring.read_specs(paths(values)), selection(values)
    broken = {each.name: each for each in snapshot.broken_jobs if chosen.kind in (None, each.kind)}
    jobs = [each for each in snapshot.jobs if chosen.matches(each.document)]
    selected = names or [each.document.metadata.name for each in jobs]
    if not selected:
        raise wiring.UsageError(wiring.why_no_match(chosen, snapshot) or NOTHING_SELECTED)
    known = {each.document.metadata.name for each in jobs} | set(broken)
    check_names(values, selected, known, snapshot.diagnostics)
    return [_only_spec(values, name, jobs, broken) for name in dict.fromkeys(selected)]


def _only_spec(
    values: OptionValues, name: str, jobs: Sequence[Located[JobDocument]], broken: Mapping[str, BrokenJob]
) -> Located[JobDocument]:
    """Return the only spec with a name. Raises `UsageError` if it is not valid, or if there are several."""
    if name in broken:
        msg = f"the spec of {name!r} is not valid, so it cannot be edited: {broken[name].diagnostics[0]}"
        raise wiring.UsageError(msg)
    specs = [each for each in jobs if each.document.metadata.name == name]
    require_one_kind(values, name, {each.document.kind: f"{each.file}:{each.line}" for each in specs})
    if len(specs) > 1:
        places = " and ".join(f"{paths(values).specs / each.file}:{each.line}" for each in specs)
        msg = f"the name {name!r} is not unique: it is used in {places}. Rename all but one of these specs."
        raise wiring.UsageError(msg)
    return specs[0]


def _kinds_by_name(snapshot: Snapshot) -> Mapping[str, Sequence[str]]:
    """Return the kinds of the specs with each name. Specs that are not valid are included."""
    found: dict[str, list[str]] = {}
    valid: Iterable[tuple[str, str]] = ((each.document.metadata.name, each.document.kind) for each in snapshot.jobs)
    for name, kind in (*valid, *((each.name, each.kind) for each in snapshot.broken_jobs)):
        found.setdefault(name, []).append(kind)
    return found
