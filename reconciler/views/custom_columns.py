"""Statuses as names, and as a table whose columns the user chooses, as `kubectl get` prints them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from reconciler.model.report import Report
from reconciler.views.column_paths import parse_columns
from reconciler.views.layout import Column, styled, table
from reconciler.views.render_context import RenderContext
from reconciler.views.status_json import status_documents

MISSING = "<none>"


def get_names(report: Report, _context: RenderContext) -> str:
    """Return the kind and name of each job, one job a line, as `get -o name` prints them."""
    return "".join(f"{row.status.kind.name.lower()}/{row.name}\n" for row in report.rows)


def get_custom_columns(report: Report, context: RenderContext) -> str:
    """Return a table with the columns in the argument of the format, or without an argument the possible paths.

    Raises `ValueError` if the argument is not valid.
    """
    documents = status_documents(report, context.now)
    if context.argument in ("", "?"):
        paths = dict.fromkeys(path for document in documents for path in _paths(document))
        return "".join(f"{path}\n" for path in paths)
    columns = [
        Column(each.title, [styled(_text(each.select(document))) for document in documents])
        for each in parse_columns(context.argument)
    ]
    return context.canvas.render([table(columns, context.canvas.width)])


def _text(values: list[object]) -> str:
    """Return the values of one cell as text, separated by commas."""
    shown = (value if isinstance(value, str) else json.dumps(value) for value in values if value is not None)
    return ",".join(shown) or MISSING


def _paths(value: object, path: str = "") -> Iterator[str]:
    """Yield the path of each value that is neither a mapping nor a list."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            escaped = str(key).replace(".", "\\.")
            yield from _paths(each, f"{path}.{escaped}")
    elif isinstance(value, list):
        for each in value:
            yield from _paths(each, f"{path}[*]")
    else:
        yield path
