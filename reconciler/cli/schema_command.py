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

    The schema covers every kind of document in the specs directory. With KIND, it covers only that kind:
    FineTuningJob, BatchJob, Provider, Settings, or OperatorConfig, the kind of the operator's file.

    Write the schema to .schema.json in the specs directory. An editor with the YAML language server then completes
    and checks a spec in that directory while you type, if the first line of the spec is this line:

    \b
      # yaml-language-server: $schema=.schema.json

    In a subdirectory, put ../ before .schema.json for each level.
    """  # noqa: D301 - click keeps the lines of a paragraph that begins with a backspace
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
            continue  # the type cannot be loaded, so its options are unknown
    return found
