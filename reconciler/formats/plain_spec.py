"""Parse the text of a plain spec in one pass over its lines. Pure.

A cold pass parses every spec, and nearly all specs are *plain*: one document of nested mappings with words, quoted
texts and comments in printable ASCII. For such a text, `parse_plain` takes a sixth of the time of `yaml_text.parse`,
which creates an object for each event of libyaml (10.5 instead of 62 to 68 µs for a usual spec).

Rules: for a plain text, the value and the line of the document are exactly those of `yaml_text.parse`. Every other text
is left to it, and so is every text with an error.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Lines

DEPTH_MAX = 16
"""The maximum nesting of a plain spec. A text that is nested deeper is not plain."""
LINE_MAX = 256
"""The maximum length of a line in characters. A text with a longer line is not plain."""
_LINES_MAX = 512
"""How many lines are remembered. With `LINE_MAX`, this limits the memory that they need."""

_KEY = r"[A-Za-z][A-Za-z0-9]{0,63}+"
_WORD = r"[A-Za-z0-9](?:[A-Za-z0-9_./+@()-]|:(?=[A-Za-z0-9/:]))*+"
_QUOTED = r"""'[ -&(-~]*+'|"[ !#-\[\]-~]*+\""""
_FLOW_WORD = r"[A-Za-z0-9][A-Za-z0-9_./+@-]*+"
_FLOW_PAIR = rf"{_KEY}: ++(?:{_FLOW_WORD}|{_QUOTED})"
_PAIRS = re.compile(rf"({_KEY}): ++({_FLOW_WORD}|{_QUOTED})")
_LINE = re.compile(
    rf"( *+)(?:({_KEY}):(?: ++(?:({_WORD}|{_QUOTED})|({{ *+{_FLOW_PAIR}(?: *+, *+{_FLOW_PAIR})*+ *+}})))?)?"
    r"(?: *+|(?:(?<![^ ])| ++)#[ -~]*+)"
)
"""A line with its indentation, and optionally a key, the value of the key, and a comment."""
_NULLS = frozenset({"null", "Null", "NULL"})
_OPENS = object()
"""The value of a line with a key only: the value of the key is a mapping on the following lines."""


def parse_plain(text: str) -> RawDocument | None:
    """Return the document of a plain text, without the lines of its keys, or None if the text is not plain."""
    block = _Block()
    first = 0
    for number, line in enumerate(text.split("\n"), 1):
        read = _read_line(line) if len(line) <= LINE_MAX else None
        if read is None:
            if number == 1 and line == "---":
                continue
            return None
        indent, key, value = read
        if key is None:
            continue
        if not block.add(indent, key, value):
            return None
        first = first or number
    return RawDocument(block.root, first, Lines({}), ()) if first and block.opened is None else None


@lru_cache(_LINES_MAX)
def _read_line(line: str) -> tuple[int, str | None, Any] | None:
    """Return the indent, the key and the value of a line, or None if the line is not plain.

    The key of an empty line is None. The value is `_OPENS` if the line has a key only. Most lines of a spec occur in
    many others, so their results are remembered, which saves a quarter of the time.
    """
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    space, key, value, flow = match.groups()
    found: Any = _OPENS
    if value is not None:
        found = _scalar(value)
    elif flow is not None and (found := _members(flow)) is None:
        return None
    return None if key in _NULLS else (len(space), key, found)


class _Block:
    """The mappings of a document whose lines are added one after another."""

    def __init__(self) -> None:
        self.root: dict[str, Any] = {}
        self.opened: str | None = None
        """The key of the last line if the line has no value, so that the next line must be in a mapping below it."""
        self._mappings = [self.root]
        """The mappings that the next line may be in, the innermost last, with their indents in `_indents`."""
        self._indents = [0]

    def add(self, indent: int, key: str, value: Any) -> bool:
        """Add a line with a key and the value of `_read_line`. Return whether the text is still plain."""
        if self.opened is not None:
            if indent <= self._indents[-1] or len(self._indents) == DEPTH_MAX:
                return False
            self._open(indent, self.opened)
        while indent < self._indents[-1]:
            self._mappings.pop()
            self._indents.pop()
        here = self._mappings[-1]
        if indent != self._indents[-1] or key in here:
            return False
        if value is _OPENS:
            self.opened = key
        else:
            here[key] = {**value} if type(value) is dict else value
        return True

    def _open(self, indent: int, key: str) -> None:
        inner: dict[str, Any] = {}
        self._mappings[-1][key] = inner
        self._mappings.append(inner)
        self._indents.append(indent)
        self.opened = None


def _scalar(value: str) -> str | None:
    if value[0] in "'\"":
        return value[1:-1]
    return None if value in _NULLS else value


def _members(flow: str) -> dict[str, str | None] | None:
    """Return the members of a mapping on one line, or None if a key is used twice or is not text."""
    pairs = _PAIRS.findall(flow)
    members = {key: _scalar(value) for key, value in pairs}
    return members if len(members) == len(pairs) and _NULLS.isdisjoint(members) else None
