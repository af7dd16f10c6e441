"""What the YAML parser complains of, in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import Sequence

_INDENTED_BY_TAB = re.compile(r" *\t")
_IN_WORDS = (
    ("mapping values are not allowed", "a ':' stands where no key can be: quote a value that holds ': '"),
    ("cannot start any token", "a value cannot begin with this character: put the value in quotes"),
    ("unexpected end of stream", "a quote that is opened here is never closed"),
    ("expected node content", "a value is missing here, or a bracket is never closed"),
    ("expected the node content", "a value is missing here, or a bracket is never closed"),
    ("expected ',' or", "a ',' is missing here, or a bracket is never closed"),
    ("expected key", "this does not go on from the lines above: look at the indentation and quotes"),
    ("expected '-' indicator", "this does not go on from the lines above: look at the indentation and quotes"),
    ("expected <block end>", "this does not go on from the lines above: look at the indentation and quotes"),
    ("could not find expected ':'", "a key without its ':'"),
)


def in_words(problem: str, found: int | None, begun: int | None, lines: Sequence[str]) -> tuple[str, int | None]:
    """Return what to tell a person about a problem, and the line to tell it of; lines count from 0.

    Args:
        problem: the parser's words.
        found: the line where it noticed.
        begun: the line where what it was reading began.
        lines: the whole text.
    """
    # A quote that is never closed is noticed at the end of the file, and is of interest where it begins.
    at = begun if "end of stream" in problem and begun is not None else found
    if at is not None and at < len(lines) and _INDENTED_BY_TAB.match(lines[at]):
        return "a tab stands where YAML wants spaces: indent with spaces", at
    return next((words for part, words in _IN_WORDS if part in problem), problem), at
