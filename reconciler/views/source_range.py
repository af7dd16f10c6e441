"""The part of a line that a diagnostic is about: a key, the value of a key, or one character that YAML does not allow.

A document is parsed into values without columns, so the part is found in the text of the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.scalar import quoted

_INDEX = re.compile(r"\[\d+\]$")
_ITEM = re.compile(r"\s*-(?=\s)")
_QUOTED_VALUE = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"")
_END_OF_VALUE = re.compile(r"\s#")
_END_OF_VALUE_IN_BRACKETS = re.compile(r"\s#|[{}\[\],]")


@dataclass(frozen=True, slots=True)
class SourceRange:
    """A range of characters in a line, from 0. The character at `end` is not a part of it."""

    begin: int
    end: int
    is_shown: bool = False
    """Whether the diagnostic's message quotes the text of the range."""


def names_of(found: Diagnostic) -> list[str]:
    """Return the keys that the field of a diagnostic may name, the last first. A key may contain one dot."""
    names = (found.field or "").split(".")
    return [".".join(names[-2:]), *reversed(names)]


def range_of(found: Diagnostic, line: str) -> SourceRange:
    """Return the part of a line that a diagnostic is about; without a known part, the line without its indentation."""
    if found.column is not None:
        return SourceRange(found.column - 1, found.column)
    for name in names_of(found):
        key = _INDEX.sub("", name)
        match = re.search(rf"(?<![\w-]){re.escape(key)}(?=[\"']?\s*:)", line) if key else None
        if match is not None:
            value = _value(line, line.index(":", match.end()) + 1)
            return _if_quoted(found, line, value) or SourceRange(*match.span())
    item = _ITEM.match(line)
    whole = SourceRange(len(line) - len(line.lstrip()), len(line.rstrip()))
    return (_if_quoted(found, line, _value(line, item.end())) if item else None) or whole


def _value(line: str, begin: int) -> SourceRange:
    """Return the range of the first value after a position, without a comment after it. It may be empty."""
    at = len(line) - len(line[begin:].lstrip())
    if (in_quotes := _QUOTED_VALUE.match(line, at)) is not None:
        return SourceRange(*in_quotes.span())
    end = _END_OF_VALUE_IN_BRACKETS if any(each in line[:begin] for each in "{[") else _END_OF_VALUE
    found = end.search(line, at)
    return SourceRange(at, at + len(line[at : found.start() if found else None].rstrip()))


def _if_quoted(found: Diagnostic, line: str, value: SourceRange) -> SourceRange | None:
    """Return the range of a value, or None if the message of the diagnostic does not quote it."""
    text = line[value.begin : value.end]
    text = text[1:-1] if text[:1] in {"'", '"'} else text
    return replace(value, is_shown=True) if text and quoted(text) in found.message else None
