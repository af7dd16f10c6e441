"""Translate the YAML parser's messages into messages that say what to do. The parser's own words are not shown."""

from __future__ import annotations

import re
from collections.abc import Sequence

_ESCAPE = "a text in double quotes contains an invalid escape: write a backslash as \\\\, or use single quotes"
_UNCLEAR = "this line or the line before it cannot be read: check its quotes, colons and indentation"
_INDENTED_BY_TAB = re.compile(r" *\t")
_MESSAGES = (
    ("mapping values are not allowed", "a ':' is not allowed here: quote a value that contains ': '"),
    ("cannot start any token", "a value cannot begin with a special character such as @ or %: put the value in quotes"),
    ("unexpected end of stream", "a quote that is opened here is never closed"),
    ("expected node content", "a value is missing here, or a bracket is never closed"),
    ("expected the node content", "a value is missing here, or a bracket is never closed"),
    ("expected ',' or", "a ',' is missing here, or a bracket is never closed"),
    ("expected key", "this line does not continue the lines above: check the indentation and quotes"),
    ("expected '-' indicator", "this line does not continue the lines above: check the indentation and quotes"),
    ("expected <block end>", "this line does not continue the lines above: check the indentation and quotes"),
    ("could not find expected ':'", "a ':' is missing after a key"),
    ("sequence entries are not allowed", "a '-' is not allowed here: check the indentation"),
    ("mapping keys are not allowed", "a '?' is not allowed here: put the value in quotes"),
    ("document indicator", "a quote that is opened before this line is not closed"),
    ("unknown escape character", _ESCAPE),
    ("expected hexdecimal number", _ESCAPE),
    ("escape sequence of", _ESCAPE),
    ("invalid Unicode character escape", _ESCAPE),
    ("invalid Unicode character code", _ESCAPE),
    ("alphabetic or numeric character", "'&' and '*' have a meaning in YAML: put the value in quotes"),
    ("tag", "'!' has a meaning in YAML: put the value in quotes"),
    ("incompatible YAML", "this version of YAML is not supported: remove the line that begins with %YAML"),
    ("directive", "'%' has a meaning in YAML at the beginning of a line: put the value in quotes"),
    ("<document start>", "a value has ended before this line: check the indentation, brackets and quotes"),
    ("comment or line break", "only a comment is allowed after this: put the value in quotes"),
    ("tab character", "a tab is not allowed here: indent with spaces"),
)


Place = tuple[int, int]
"""A line and a character of the line, both from 0."""


def explain_error(
    problem: str, found: Place | None, begun: Place | None, lines: Sequence[str]
) -> tuple[str, Place | None]:
    """Return the message for a parser error, and the place at which to report it; None if that is unknown.

    Args:
        problem: the parser's message, which is only compared with known messages.
        found: where the parser noticed the error, or None if that is unknown.
        begun: where the value that the parser was reading begins, or None if that is unknown.
        lines: the lines of the text.
    """
    # The parser notices an unclosed quote only at the end of the file. The place of the opening quote is more useful.
    at = begun if "end of stream" in problem and begun is not None else found
    if at is not None and at[0] < len(lines) and (indentation := _INDENTED_BY_TAB.match(lines[at[0]])) is not None:
        return "a tab is not allowed here: indent with spaces", (at[0], indentation.end() - 1)
    return next((words for part, words in _MESSAGES if part in problem), _UNCLEAR), at
