"""Formats rows as a Markdown table."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent.parent


def table(*rows: tuple[str, ...]) -> str:
    """Return rows as a Markdown table. The first row is the header."""
    escaped = [[cell.replace("|", r"\|").replace("<", r"\<") for cell in row] for row in rows]
    lines = [f"| {' | '.join(row)} |" for row in escaped]
    return "\n".join([lines[0], f"|{'---|' * len(rows[0])}", *lines[1:]])
