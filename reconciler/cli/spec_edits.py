"""What `set`, `suspend` and `unsuspend` share: find the specs, edit all or none, show the lines that change."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import find_specs
from reconciler.cli.option_values import OptionValues, place
from reconciler.formats.yaml_edit import Edit, YamlEditError
from reconciler.local.spec_editor import edited, write
from reconciler.model.kind import JobDocument
from reconciler.views.diff_text import change_text
from reconciler.wiring import UsageError


def edit_specs(given: OptionValues, names: Sequence[str], edits: Callable[[JobDocument], Iterable[Edit]]) -> int:
    """Make these edits of each spec, print the changed lines, and return the exit code."""
    screen, root = ConsoleOutput.of(given), place(given).specs
    specs = find_specs(given, names)
    try:
        changes = edited(root, ((root / spec.file, edit) for spec in specs for edit in edits(spec.document)))
    except YamlEditError as refusal:
        raise UsageError(str(refusal)) from None
    if not given["dry_run"]:
        write(root, changes)
    told = [(str(each.path), each.before.decode("utf-8-sig"), each.after.decode("utf-8-sig")) for each in changes]
    screen.result(change_text(told, screen.canvas(sys.stdout)))
    if not changes:
        screen.log("No change: the spec already says so.")
    elif given["dry_run"]:
        screen.log("Nothing was written.")
    else:
        screen.log("Written. `reconcile plan` shows what it means; commit it, or run `reconcile --once`, to do it.")
    return os.EX_OK
