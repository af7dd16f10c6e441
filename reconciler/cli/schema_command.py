"""`reconcile schema`: one JSON Schema for every kind of document, for editors and other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from pydantic import BaseModel

from reconciler.cli.console import Screen
from reconciler.cli.options import SCREEN, examples, options
from reconciler.providers import known, load
from reconciler.views.json_schema import json_schema


@click.command(epilog=examples("reconcile schema > specs/.schema.json"))
@options(SCREEN)
def schema(**given: object) -> int:
    """Print one JSON Schema for every kind of document.

    Editors that know YAML's language server complete and check a spec while it is typed, if its first line is
    `# yaml-language-server: $schema=.schema.json`.
    """
    Screen.of(given).result(json.dumps(json_schema(provider_options()), indent=2) + "\n")
    return 0


def provider_options() -> Mapping[str, type[BaseModel]]:
    """Return the options' model of each provider type that can be loaded here."""
    found = {}
    for name in known():
        try:
            found[name] = load(name).options
        except LookupError:
            continue  # what it needs is not installed: nothing can be said of its options
    return found
