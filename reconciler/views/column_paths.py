r"""The columns of `-o custom-columns`: parsing of `HEADER:PATH,...`, and the values that a path selects.

A path is written as in `kubectl`: `.metadata.name`, `metadata.name` or `{.metadata.name}`. It may contain `[0]`, `[*]`
and `[?(@.type=="Ready")]`. A dot in a key is written as `\.`. This module must not import anything slow, because the
parser of the command line uses it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

EXAMPLE = "NAME:.metadata.name,PHASE:.status.phase"
_STEP = re.compile(
    r"\.?(?P<name>(?:[^.\[\]{}\\]|\\.)+)"
    r"|\[(?P<index>\d+)\]"
    r"|(?P<every>\[\*\])"
    r"|\[\?\(@\.(?P<key>\w+)==[\"']?(?P<value>[^\"')]*)[\"']?\)\]"
)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True, slots=True)
class PathStep:
    """One step of a path: a key, an index, every element, or the elements whose `key` has the value `value`."""

    name: str | None = None
    index: int | None = None
    key: str | None = None
    value: str | None = None

    def apply(self, document: object) -> Iterator[object]:
        """Yield what this step selects of a value, which may be nothing."""
        if self.name is not None:
            if isinstance(document, Mapping) and self.name in document:
                yield document[self.name]
        elif not isinstance(document, Sequence) or isinstance(document, str):
            return
        elif self.index is not None:
            yield from document[self.index : self.index + 1]
        elif self.key is not None:
            yield from (each for each in document if isinstance(each, Mapping) and each.get(self.key) == self.value)
        else:
            yield from document


@dataclass(frozen=True, slots=True)
class CustomColumn:
    """A column: its title, and the path of its values."""

    title: str
    steps: tuple[PathStep, ...]

    def select(self, document: object) -> list[object]:
        """Return the values that the path selects of a document."""
        found = [document]
        for step in self.steps:
            found = [each for value in found for each in step.apply(value)]
        return found


def parse_columns(text: str) -> tuple[CustomColumn, ...]:
    """Return the columns of `HEADER:PATH,...`. Raises `ValueError` if the text has another form."""
    return tuple(_column(part) for part in split_columns(text))


def split_columns(text: str) -> list[str]:
    """Return the texts between the commas outside brackets. A comma is in brackets if the next bracket closes."""
    found, end, is_in_brackets = [], len(text), False
    for at in reversed(range(len(text))):
        if text[at] in "[]":
            is_in_brackets = text[at] == "]"
        elif text[at] == "," and not is_in_brackets:
            found.append(text[at + 1 : end])
            end = at
    return [text[:end], *reversed(found)]


def _column(text: str) -> CustomColumn:
    title, _, path = (part.strip() for part in text.partition(":"))
    steps = _steps(path[1:-1] if path.startswith("{") and path.endswith("}") else path)
    if not (title and steps):
        msg = f"{text!r} is not a column: write HEADER:PATH,..., such as {EXAMPLE}"
        raise ValueError(msg)
    return CustomColumn(title, steps)


def _steps(path: str) -> tuple[PathStep, ...]:
    """Return the steps of a path, or none if it is not valid."""
    found, at = [], 0
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            return ()
        found.append(_step(match))
        at = match.end()
    return tuple(found)


def _step(match: re.Match[str]) -> PathStep:
    if match["name"] is not None:
        return PathStep(name=_ESCAPE.sub(r"\1", match["name"]))
    if match["index"] is not None:
        return PathStep(index=int(match["index"]))
    return PathStep(key=match["key"], value=match["value"])
