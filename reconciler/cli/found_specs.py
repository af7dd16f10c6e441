"""The specs directory of a command: the one that `--specs` names, or by default the nearest one in the checkout."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from reconciler.cli.console import ConsoleOutput
from reconciler.cli.shared_option import Shared
from reconciler.git.discovery import nearest_above

_FOUND = f"{__name__}.found"


def specs_of(values: Mapping[str, Any]) -> Path:
    """Return the specs directory.

    If `--specs` is not set and the default directory is missing here, it is the one in the nearest parent directory in
    the same checkout. The first call of a command then prints which directory is used, and later calls return the same.
    """
    ctx = click.get_current_context(silent=True)
    if ctx is None:
        return Path(values["specs"])
    if _FOUND not in ctx.meta:
        ctx.meta[_FOUND] = found = chosen_specs(ctx)
        if found != Path(values["specs"]):
            ConsoleOutput.of(values).log(f"Using the specs in {found.resolve()}.")
    return Path(ctx.meta[_FOUND])


def chosen_specs(ctx: click.Context) -> Path:
    """Return the specs directory that the options of a command select, without printing anything."""
    named = Path(str(Shared.value_of(ctx, "specs")))
    if ctx.get_parameter_source("specs") is not ParameterSource.DEFAULT or named.is_dir():
        return named
    found = nearest_above(Path.cwd(), named.name)
    return named if found is None else Path(os.path.relpath(found))
