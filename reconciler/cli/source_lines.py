"""The path of a document in its repository, and the text of the line that a problem is about."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from reconciler.git.discovery import checkout_among
from reconciler.views.render_context import SourcePlace

SIZE_MAX = 10_000_000
"""A larger file is not read. No spec may be that large."""


def find_source(file: str, line: int | None) -> SourcePlace:
    """Return the path of a file from the top of its checkout, and the text of a line; empty if it cannot be read.

    Outside a checkout, the path is relative to the current directory.
    """
    path = Path(file).resolve()
    top = checkout_among(path.parents) or Path.cwd()
    shown = path.relative_to(top).as_posix() if path.is_relative_to(top) else Path(file).as_posix()
    lines = _lines(path) if line is not None else []
    return SourcePlace(shown, lines[line - 1] if line is not None and line <= len(lines) else "")


@lru_cache(maxsize=1)  # problems are sorted by file, so one file is enough
def _lines(path: Path) -> list[str]:
    """Return the lines of a regular file of at most `SIZE_MAX` bytes, or none."""
    try:
        if not path.is_file() or path.stat().st_size > SIZE_MAX:
            return []
        return path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError:
        return []
