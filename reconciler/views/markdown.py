"""Markdown as GitHub shows it, in pieces.

Rules: text from specs and providers cannot make markup, link anywhere, notify anybody or leave its cell, and can be
copied as it was; what a person copies as a command is code; what is too long is cut between two lines, and says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reconciler.model.report import Row
from reconciler.views.problems import Problem
from reconciler.views.render_context import Room
from reconciler.views.row_state import outlook
from reconciler.views.text import clean

CUT = "\n_This is cut here, after {kept:,} of {lines:,} lines: GitHub shows no more. `reconcile {verb}` shows all._\n"

_BREAK = "<!-- -->"
"""Shows nothing and is not copied; GitHub looks for references in the text between two tags or comments."""
_SPECIAL = re.compile(
    r"""
      (?P<markup> [\\`*_\[\]<>|~&] )
    | (?P<maths> \$ )
    | (?P<sha> [0-9A-Fa-f]{7,} )
    | [@\#] (?=\w)            # @ada, #1, acme/web#7, an e-mail address
    | : (?=//)                # https://
    | : (?=[\w+-]+:)          # :tada:
    | [Ww]{3} (?=\.)          # www.
    | (?<=[A-Z]) - (?=\w)     # GH-3, GHSA-, and most keys that a repository links to another tracker
    | (?<=[Gg]h) - (?=\d)     # gh-3
    """,
    re.VERBOSE,
)
"""What is markup, and what GitHub links or notifies by, each up to where a break takes it apart
(https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls).
"""
_SHORTER_THAN_A_SHA = 6
_CODE = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Return foreign text as one line of Markdown that shows it as it is, links nowhere and notifies nobody."""
    return _SPECIAL.sub(_harmless, clean(text))


def _harmless(found: re.Match[str]) -> str:
    part = found[0]
    if found["markup"]:
        return f"\\{part}"
    if found["maths"]:
        return f"\\{part}{_BREAK}"
    if found["sha"]:
        starts = range(0, len(part), _SHORTER_THAN_A_SHA)
        return _BREAK.join(part[at : at + _SHORTER_THAN_A_SHA] for at in starts)
    return f"{part}{_BREAK}"


def advice(text: str) -> str:
    """Return a sentence of ours as Markdown: what stands between backticks is code, and all else is escaped."""
    parts = _CODE.split(clean(text))
    return "".join(f"`{part}`" if at % 2 else escaped(part) for at, part in enumerate(parts))


def table_row(*cells: str) -> str:
    """Return one line of a table."""
    return f"| {' | '.join(cells)} |"


def bytes_of(text: str) -> int:
    """Return a text's size where bytes are counted; `len` is it where characters are."""
    return len(text.encode())


def fitted(lines: Sequence[str], room: Room, verb: str) -> str:
    """Return the lines as one text, cut where they are more than may be shown.

    Args:
        lines: what is to be shown, the most important first.
        room: how large the text may be.
        verb: the command that shows all of it.
    """
    whole = "\n".join(lines) + "\n"
    if room.size(whole) <= room.most:
        return whole
    left = room.most - room.size(CUT.format(kept=len(lines), lines=len(lines), verb=verb))
    kept = 0
    for line in lines:
        left -= room.size(line) + 1
        if left < 0:
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
            yield f"  {advice(problem.hint)}"


def standing_lines(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield the part that tells where jobs stand and why; nothing for no jobs."""
    if not rows:
        return
    yield from ("", f"#### {title}", "", "| Job | Reason | What is said |", "|---|---|---|")
    for row in rows:
        look = outlook(row)
        yield table_row(f"**{escaped(row.name)}**", look.reason, escaped(look.message))
