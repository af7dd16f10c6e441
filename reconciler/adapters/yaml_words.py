"""What the YAML parser complains of, in words that say what to do."""

from __future__ import annotations

import re

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


def in_words(problem: str, line: str) -> str:
    """Return what to tell a person about a problem that the parser found in this line."""
    if _INDENTED_BY_TAB.match(line):
        return "a tab stands where YAML wants spaces: indent with spaces"
    return next((words for part, words in _IN_WORDS if part in problem), problem)
