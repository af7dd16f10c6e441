"""`reconcile archive`: moves the specs and the statuses of jobs that have ended to the archive, and back."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.choices import JobName
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.found_specs import chosen_specs
from reconciler.cli.job_names import check_names, complete_name
from reconciler.cli.option_values import OptionValues, paths, seconds, selection
from reconciler.cli.options import CONSOLE, DRY_RUN, PATHS, SELECTION, examples, options
from reconciler.controller.archive_choice import ArchiveChoice, ArchivedFile, choose, in_archive
from reconciler.controller.run_options import Paths, Selection
from reconciler.local.archive_files import move_files
from reconciler.ports import ARCHIVE
from reconciler.views.archive_text import archive_text, kept_text, moved_text
from reconciler.views.text import did_you_mean


def complete_archived(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the names that begin with this text: with `--restore` those of archived specs, otherwise all others."""
    if not ctx.params.get("restore"):
        return complete_name(ctx, param, incomplete)
    files = in_archive(wiring.archived_specs(Paths(chosen_specs(ctx))))
    return sorted(name for file in files for name in file.names if name.startswith(incomplete))


@click.command(
    epilog=examples(
        "reconcile archive --older-than 90d --dry-run",
        "reconcile archive --older-than 90d --selector team=support",
        "reconcile archive --restore support-triage",
    )
)
@click.argument("names", type=JobName(), nargs=-1, metavar="[NAME]...", shell_complete=complete_archived)
@click.option("--older-than", metavar="DURATION", help="Archive jobs that ended this long ago, such as 90d.")
@click.option("--restore", is_flag=True, is_eager=True, help="Move these specs and their statuses back.")
@options(SELECTION, DRY_RUN, PATHS, CONSOLE)
def archive(*, names: tuple[str, ...], restore: bool, **values: Any) -> int:
    """Move the specs and statuses of ended jobs to the archive, and back.

    A spec file moves from DIR to DIR/.archive, and the statuses of its jobs from the status directory to .archive in
    it, if every job in the file has ended for good in its desired state. A spec in the archive is not read: its job is
    not observed, and no change is requested for it. A job whose change is not proven is kept.
    """
    if restore == (values["older_than"] is not None):
        msg = "Say how long ago a job must have ended, with --older-than, or name the jobs to --restore."
        raise click.UsageError(msg)
    if restore:
        return _restore(values, names)
    return _archive(values, names)


def _archive(values: OptionValues, names: Sequence[str]) -> int:
    """Archive what may be archived. Raises `UsageError` if that is not the case for a job that is named."""
    console, places = ConsoleOutput.of(values), paths(values)
    age = timedelta(seconds=seconds(values, "older_than"))
    everything, selected = wiring.read_statuses(places, Selection()), selection(values)
    # Without a selection, the files need not be read again.
    chosen = everything if selected.predicate() is None else wiring.read_statuses(places, selected)
    wanted = {row.name for row in chosen.rows}
    check_names(values, names, wanted, everything.diagnostics)
    choice = _restricted(choose(everything, wiring.read_specs(places), age, console.now()), set(names) or wanted)
    for name in names:
        if name in choice.kept:
            msg = f"{name} is not archived: {choice.kept[name]}. Nothing was moved."
            raise wiring.UsageError(msg)
    _move(values, choice.files, is_restored=False)
    if choice.kept:
        console.log(kept_text(Counter(choice.kept.values())))
    return os.EX_OK


def _restricted(choice: ArchiveChoice, wanted: Collection[str]) -> ArchiveChoice:
    """Return the part of a choice that concerns these jobs. A file with another job is kept."""
    shared = "another document in its file is kept"
    kept = {name: why for name, why in choice.kept.items() if name in wanted}
    files = []
    for each in choice.files:
        chosen = [name for name in each.names if name in wanted]
        if len(chosen) == len(each.names):
            files.append(each)
        else:
            kept |= dict.fromkeys(chosen, shared)
    return replace(choice, files=tuple(files), kept=kept)


def _restore(values: OptionValues, names: Sequence[str]) -> int:
    """Move the files of these specs back. Raises `UsageError` if a spec is not in the archive, or is there twice."""
    if not names:
        msg = "Name the specs to --restore. `reconcile get --archived` lists them."
        raise click.UsageError(msg)
    files = in_archive(wiring.archived_specs(paths(values)))
    chosen = dict[str, ArchivedFile]()
    for name in names:
        found = [each for each in files if name in each.names]
        if not found:
            known = [other for each in files for other in each.names]
            hint = did_you_mean(name, known) or "`reconcile get --archived` lists the specs in it."
            msg = f"no spec in the archive is called {name!r}. {hint}"
            raise wiring.UsageError(msg)
        if len(found) > 1:
            places = " and ".join(str(paths(values).specs / ARCHIVE / each.file) for each in found)
            msg = f"the name {name!r} is not unique in the archive: it is used in {places}. Move one of the files back."
            raise wiring.UsageError(msg)
        chosen[found[0].file] = found[0]
    _move(values, chosen.values(), is_restored=True)
    return os.EX_OK


def _move(values: OptionValues, files: Iterable[ArchivedFile], *, is_restored: bool) -> None:
    """Move files to the archive or back, unless this is a dry run, and print them."""
    console, places, is_dry = ConsoleOutput.of(values), paths(values), values["dry_run"]
    files = list(files)
    here, there = (ARCHIVE, "") if is_restored else ("", ARCHIVE)
    before, after = places.specs / here, places.specs / there
    if not is_dry:
        specs = [(before / each.file, after / each.file) for each in files]
        statuses = [
            (places.statuses / here / path, places.statuses / there / path) for each in files for path in each.statuses
        ]
        move_files(specs, statuses, places.specs, places.statuses)
    console.print_result(archive_text([(str(before / each.file), each.names) for each in files]))
    console.log(moved_text(len(files), sum(len(each.names) for each in files), is_restored=is_restored, is_dry=is_dry))
