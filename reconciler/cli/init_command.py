"""`reconcile init`: writes the first files of a repository."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import click

from reconciler import wiring
from reconciler.cli.choices import OneOf
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import CONSOLE, DRY_RUN, SPECS, examples, options
from reconciler.controller.run_options import Paths
from reconciler.git.discovery import checkout_among
from reconciler.local.spec_editor import create
from reconciler.model.account_line import EMBEDDED, FINE_TUNING_JOB
from reconciler.ports import jobs_by_kind
from reconciler.providers import load, provider_names
from reconciler.views.starter_files import ACTION, InitResult, Starter, starter_files

_ACTION = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
KEPT, WRITTEN, WOULD_WRITE = "exists, and is kept", "written", "would be written"
NOT_ADDED = "not written, because the directory already contains documents"


@click.command(
    epilog=examples(
        "reconcile init",
        "reconcile init --provider openai --action OWNER/REPO@SHA",
        "reconcile init --dry-run",
    )
)
@click.option(
    "--provider",
    "type_",
    type=OneOf(provider_names()),
    default=EMBEDDED,
    show_default=True,
    metavar="TYPE",
    help="Provider type of the first account.",
)
@click.option(
    "--action",
    default=ACTION,
    metavar="OWNER/REPO@SHA",
    help="Repository and full commit SHA of the reconcile action for the workflows. By default, the workflows contain "
    "a placeholder to replace.",
)
@options(SPECS, DRY_RUN, CONSOLE)
def init(*, type_: str, action: str, dry_run: bool, **values: Any) -> int:
    """Write the first files of a repository.

    The files are a Provider document, Settings, an example of a spec, an example of an operator's file, and two
    workflows for CI. An existing file is never overwritten, and nothing is added to a specs directory that already
    contains documents. With the default provider type, the example works without a key. Run the command at the top of
    the repository.
    """
    if action != ACTION and not _ACTION.fullmatch(action):
        msg = f"{action!r} is not an action: write OWNER/REPO@SHA with all 40 digits of a commit"
        raise click.BadParameter(msg, param_hint="--action")
    specs = _checked(Path(values["specs"]))
    type_of = load(type_)
    kinds = jobs_by_kind(type_of)
    kind = FINE_TUNING_JOB if FINE_TUNING_JOB in kinds else next(iter(kinds))
    starter = Starter(type_, type_of.key_variable, kind, action, specs.as_posix())
    has_documents = bool(_documents(specs))
    files = [
        (path, _write(Path(path), text, is_added=not (has_documents and Path(path).parent == specs), is_dry=dry_run))
        for path, text in starter_files(starter).items()
    ]
    ConsoleOutput.of(values).show("init", "text", InitResult(files, starter))
    return os.EX_OK


def _checked(specs: Path) -> Path:
    """Return the specs directory. Raises `UsageError` if it is not below this directory, or Git's top is above it."""
    here = Path.cwd()
    top = checkout_among((here, *here.parents)) or here
    if top != here:
        msg = f"run `reconcile init` at the top of the repository, in {top}: a CI host reads workflows only there"
        raise wiring.UsageError(msg)
    if specs.is_absolute() or ".." in specs.parts or specs == Path():
        msg = (
            f"--specs must be a directory below the current one, not {str(specs)!r}: pass a relative path without '..'"
        )
        raise wiring.UsageError(msg)
    return specs


def _documents(specs: Path) -> list[object]:
    if not specs.is_dir():
        return []
    snapshot = wiring.read_specs(Paths(specs))
    return [*snapshot.jobs, *snapshot.providers, *snapshot.broken_jobs, *snapshot.diagnostics]


def _write(path: Path, text: str, *, is_added: bool, is_dry: bool) -> str:
    """Create a file unless it exists, and return what was done."""
    if os.path.lexists(path):
        return KEPT
    if not is_added:
        return NOT_ADDED
    if is_dry:
        return WOULD_WRITE
    create(Path.cwd(), path.absolute(), text)
    return WRITTEN
