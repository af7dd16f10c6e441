"""Spec edits for `set`, `suspend` and `unsuspend`.

All edits are made in memory before the first file is written. If one of them is not possible, no file is changed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.job_names import find_specs
from reconciler.cli.option_values import OptionValues, paths
from reconciler.formats.yaml_edit import Edit, YamlEditError
from reconciler.local.spec_editor import edited, write
from reconciler.model.kind import JobDocument
from reconciler.views.diff_text import change_text
from reconciler.wiring import UsageError


def edit_specs(values: OptionValues, names: Sequence[str], edits: Callable[[JobDocument], Iterable[Edit]]) -> int:
    """Edit each named spec as `edits` says, print the diff, and return 0. In a dry run, only print the diff.

    Raises `UsageError` if a spec cannot be found or edited, and `OSError` if a file cannot be read or written.
    """
    console, root = ConsoleOutput.of(values), paths(values).specs
    specs = find_specs(values, names)
    try:
        changes = edited(root, ((root / spec.file, edit) for spec in specs for edit in edits(spec.document)))
    except YamlEditError as error:
        raise UsageError(str(error)) from None
    if not values["dry_run"]:
        write(root, changes)
    texts = [(str(each.path), each.before.decode("utf-8-sig"), each.after.decode("utf-8-sig")) for each in changes]
    console.print_result(change_text(texts, console.canvas(sys.stdout)))
    if not changes:
        console.log("No change: the files already contain these values.")
    elif values["dry_run"]:
        console.log("Dry run: nothing was written.")
    else:
        console.log(
            "Written. `reconcile plan` shows the effect. Commit the edit, or run `reconcile --once` to apply it."
        )
    return os.EX_OK
