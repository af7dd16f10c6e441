"""`reconcile schema`: one JSON Schema for every kind of document, for editors and other tools."""

from __future__ import annotations

import json
from collections.abc import Mapping

import click
from pydantic import BaseModel

from reconciler.cli.options import SCREEN, options
from reconciler.cli.screen import Screen
from reconciler.providers import known, load
from reconciler.views.schema import json_schema


@click.command()
@options(SCREEN)
def schema(**given: object) -> int:
    r"""Print one JSON Schema for every kind of document.

    \b
    For completion and checks while you type:
      reconcile schema > specs/.schema.json
    and, as the first line of a spec beside it:
      # yaml-language-server: $schema=.schema.json
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
