"""Edits of spec files as a unified diff, which `set`, `suspend` and `unsuspend` print."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import unified_diff

from rich.text import Text

from reconciler.views.layout import Canvas
from reconciler.views.text import clean

STYLES = {"+": "green", "-": "red", "@": "cyan"}


def change_text(changes: Iterable[tuple[str, str, str]], canvas: Canvas) -> str:
    """Return a unified diff of each changed file. A change is a path, the text before and the text after."""
    return canvas.render([_line(line) for change in changes for line in _diff(*change)])


def _diff(path: str, before: str, after: str) -> Iterable[str]:
    yield from unified_diff(before.splitlines(), after.splitlines(), path, path, n=1, lineterm="")


def _line(line: str) -> Text:
    is_header = line.startswith(("---", "+++"))
    style = "bold" if is_header else STYLES.get(line[:1], "")
    return Text(clean(line), style, no_wrap=True, overflow="ignore")
