"""Markdown as GitHub shows it, in pieces.

Rules: text from specs and providers cannot make markup, mention anybody or leave its cell; what is too long is cut
between two lines, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence

from reconciler.model.report import Row
from reconciler.views.problems import Problem
from reconciler.views.row_state import outlook
from reconciler.views.text import clean

COMMENT_MAX = 65_536
"""Characters that GitHub takes as one comment."""
CUT = "\n_This is cut here, after {kept:,} of {lines:,} lines: GitHub shows no more. `reconcile {verb}` shows all._\n"

_MARKUP = re.compile(r"([\\`*_\[\]<>|~$&])")
_LINKED = re.compile(r"(@|:(?=//)|www(?=\.))", re.IGNORECASE)
"""What GitHub makes links of by itself; a comment right after it keeps it from that."""

Size = Callable[[str], int]


def escaped(text: str) -> str:
    """Return foreign text as one line of Markdown that shows it as it is, links nowhere and notifies nobody."""
    return _LINKED.sub(r"\1<!-- -->", _MARKUP.sub(r"\\\1", clean(text)))


def table_row(*cells: str) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def bytes_of(text: str) -> int:
    """Return a text's size where bytes are counted; `len` is it where characters are."""
    return len(text.encode())


def fitted(lines: Sequence[str], most: int, verb: str, size: Size = len) -> str:
    """Return the lines as one text, cut where they are more than may be shown.

    Args:
        lines: what is to be shown, the most important first.
        most: how large the text may be.
        verb: the command that shows all of it.
        size: how that is measured.
    """
    whole = "\n".join(lines) + "\n"
    if size(whole) <= most:
        return whole
    room = most - size(CUT.format(kept=len(lines), lines=len(lines), verb=verb))
    kept = 0
    for line in lines:
        room -= size(line) + 1
        if room < 0:
            break
        kept += 1
    notice = CUT.format(kept=kept, lines=len(lines), verb=verb)
    return "".join(f"{line}\n" for line in lines[:kept]) + notice


def problem_lines(title: str, found: Iterable[Problem]) -> Iterator[str]:
    """Yield the part that tells what went wrong; nothing where nothing did."""
    told = list(found)
    if told:
        yield from ("", f"#### {title}", "")
    for problem in told:
        yield f"- {problem.severity}: {escaped(problem.summary)}"
        if problem.hint is not None and problem.file is None:
            yield f"  {escaped(problem.hint)}"


def standing_lines(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the part that tells where jobs stand and why; nothing for no jobs."""
    if not rows:
        return
    yield from ("", f"#### {title}", "", "| Job | Reason | What is said |", "|---|---|---|")
    for row in rows:
        look = outlook(row)
        yield table_row(f"**{escaped(row.name)}**", look.reason, escaped(look.message))
