"""`reconcile schema`: prints the JSON Schema of the documents, for editors and other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from pydantic import BaseModel

from reconciler.cli.choices import OneOf
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.options import CONSOLE, examples, options
from reconciler.model.kind import DOCUMENTS
from reconciler.providers import load, provider_names
from reconciler.views.json_schema import ALL_KINDS, json_schema


@click.command(
    epilog=examples("reconcile schema > specs/.schema.json", "reconcile schema OperatorConfig > operator.schema.json")
)
@click.argument("kind", required=False, metavar="[KIND]", type=OneOf(list(ALL_KINDS)))
@options(CONSOLE)
def schema(*, kind: str | None, **values: object) -> int:
    """Print the JSON Schema of the documents.

    The schema covers every kind of document in the specs directory. With KIND, it covers only that kind, which may also
    be OperatorConfig, the kind of the operator's file.

    An editor with the YAML language server completes and checks a spec while you type, if the first line of the file is
    `# yaml-language-server: $schema=.schema.json`.
    """
    ConsoleOutput.of(values).print_result(
        json.dumps(json_schema(provider_options(), {kind: ALL_KINDS[kind]} if kind else DOCUMENTS), indent=2) + "\n"
    )
    return 0


def provider_options() -> Mapping[str, type[BaseModel]]:
    """Return the options model of each provider type that can be loaded."""
    found = {}
    for name in provider_names():
        try:
            found[name] = load(name).options
        except LookupError:
            continue  # without the module of a type, its options are unknown
    return found
