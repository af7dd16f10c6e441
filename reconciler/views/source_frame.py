"""The line of a document that a diagnostic is about, with marks below the part that is wrong.

Rules: a document may contain a secret in any place, for example under a misspelt key. Therefore a frame shows only the
field names that documents have, the field and the value that the diagnostic itself names, and punctuation. Every other
word, and every comment, is shown as `…`. A frame contains no text that controls a terminal.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from functools import cache
from typing import NamedTuple

from rich.cells import cell_len
from rich.text import Text

from reconciler.model.diagnostic import Diagnostic
from reconciler.views.json_schema import field_notes
from reconciler.views.render_context import FindSource
from reconciler.views.source_range import SourceRange, names_of, range_of
from reconciler.views.text import clean

HIDDEN = "…"
LINE_MAX = 2_000
BEFORE_MAX, MARKED_MAX, AFTER_MAX = 40, 30, 30
"""How many characters are shown before, in and after the part that is wrong."""
_PART = re.compile(r"(?P<comment>(?<!\S)\#.*) | (?P<word>(?:[^\s{}\[\],:\"']|:(?=[^\s{}\[\],\"']))+)", re.VERBOSE)


class _Part(NamedTuple):
    """A part of a line, from one position to another, and the text that is shown for it."""

    begin: int
    end: int
    shown: str


def frame_lines(found: Diagnostic, find_source: FindSource, style: str) -> list[Text]:
    """Return the frame of a diagnostic, or no lines if its line is unknown, cannot be read, or is too long.

    `style` is the style of the part that is wrong.
    """
    line = "" if found.line is None else find_source(found.file, found.line).line.rstrip()
    if not 0 < len(line) <= LINE_MAX:
        return []
    before, marked, after = _shown(found, line)
    number = str(found.line)
    margin = " " * len(number)
    marks = "^" * max(cell_len(marked), 1)
    return [
        _line(f"{margin} |"),
        _line(f"{number} | ").append(before, "default").append(marked, style).append(after, "default"),
        _line(f"{margin} | {' ' * cell_len(before)}").append(marks, style),
    ]


def _line(text: str) -> Text:
    return Text(text, style="dim", no_wrap=True, overflow="ignore")


def _shown(found: Diagnostic, line: str) -> tuple[str, str, str]:
    """Return what is shown of a line before, in and after the part that is wrong."""
    wrong = range_of(found, line)
    texts = ["", "", ""]
    for part in _parts(line, wrong, _field_names().union(name.partition("[")[0] for name in names_of(found))):
        texts[0 if part.end <= wrong.begin else 2 if part.begin >= wrong.end else 1] += part.shown
    before, marked, after = texts
    if len(before) > BEFORE_MAX:
        before = HIDDEN + before[-BEFORE_MAX:]
    return before, _cut(marked, MARKED_MAX), _cut(after, AFTER_MAX)


def _parts(line: str, wrong: SourceRange, words: Collection[str]) -> Iterator[_Part]:
    """Yield a line as parts, from left to right.

    A word that is not in `words` becomes `…`. The part `wrong` is shown in full if it may be shown.
    """
    at = 0
    while at < len(line):
        if wrong.is_shown and at == wrong.begin:
            yield _Part(at, wrong.end, clean(line[at : wrong.end]))
            at = wrong.end
        elif (match := _PART.match(line, at)) is not None:
            yield _Part(*match.span(), f"# {HIDDEN}" if match["comment"] else _word(match[0], words))
            at = match.end()
        else:
            yield _Part(at, at + 1, clean(line[at]))
            at += 1


def _word(word: str, words: Collection[str]) -> str:
    is_punctuation = not any(char.isalnum() for char in word)
    return clean(word) if is_punctuation or word in words else HIDDEN


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length] + HIDDEN


@cache
def _field_names() -> frozenset[str]:
    """Return the names of the fields of all documents."""
    return frozenset(name for note in field_notes({}) for name in note.path.split("."))
