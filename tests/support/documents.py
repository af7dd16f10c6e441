"""Builders for the documents of a revision, each with its place in a file."""

from __future__ import annotations

from typing import Any

from reconciler.model.spec import API_VERSION, Provider, Settings
from reconciler.ports import D, Located


def located(document: D, file: str = "bots.yaml", line: int = 1, **fields: int) -> Located[D]:
    """Return a document with its place in a file. `fields` has the lines of its spec's fields, such as `jobId=7`."""
    lines: dict[tuple[str | int, ...], int] = {("spec", name): at for name, at in fields.items()}
    return Located(document=document, file=file, line=line, lines=lines)


def a_provider(name: str = "research", **spec: Any) -> Provider:
    """Return a Provider document of OpenAI; `spec` has the keys of the file, in camel case."""
    return Provider.model_validate(
        {
            "apiVersion": API_VERSION,
            "kind": "Provider",
            "metadata": {"name": name},
            "spec": {"type": "openai"} | spec,
        }
    )


def a_settings(**spec: Any) -> Settings:
    """Return the Settings document; `spec` has the keys of the file, in camel case."""
    return Settings.model_validate(
        {"apiVersion": API_VERSION, "kind": "Settings", "metadata": {"name": "settings"}, "spec": spec}
    )
