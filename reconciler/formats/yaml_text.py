"""YAML as text: every scalar is the text that stands there, and every value knows its line.

The only importer of `yaml`. Rules: nothing is guessed from a scalar's look, but that a plain `null`, `~` or nothing is
None; aliases are followed, within a limit; merge keys and foreign tags are refused. Documents are built from the
parser's events, because that is twice as fast as composing nodes, and because the composer written in C overflows the
stack on deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml
from yaml.events import (
    AliasEvent,
    CollectionStartEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from reconciler.formats.yaml_errors import in_words
from reconciler.model.scalar import quoted

DOCUMENTS_MAX = 10_000
DEPTH_MAX = 100
MERGE = "<<"
REPEATED_NODES_MAX = 100_000

Path = tuple[str | int, ...]

_TOO_DEEP = f"is nested deeper than {DEPTH_MAX} levels"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml is not in every build of PyYAML
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(
    {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))}
)
_CONFLICT = re.compile(r"^<<<<<<<", re.MULTILINE)


class Unreadable(Exception):
    """A text that cannot be read, as a whole. `line` counts from 1, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong inside a document that can otherwise be read."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document as dicts, lists, texts and None. `lines` has the line of each key and item, by its path."""

    value: Any
    line: int
    lines: dict[Path, int]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """Where a value stands, as positions in the text: its first character, and the one after its last.

    `style` is the parser's: `'`, `"`, `|`, `>` or None for a plain scalar; None for all that is no scalar.
    """

    start: int
    end: int
    key: int
    """Where the key, or the item, begins."""
    column: int
    is_scalar: bool
    is_flow: bool
    is_alias: bool
    is_marked: bool
    """It has an anchor or a tag, which stand at its beginning."""
    style: str | None


Parse = Callable[[str], tuple[RawDocument, ...]]
"""What makes a text's documents of it: `parse`, or something that remembers what it made."""


def parse(text: str) -> tuple[RawDocument, ...]:
    """Return a text's documents; an empty one has the value None. Raises `Unreadable` in plain words."""
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        msg = "a conflict of a Git merge is not resolved here"
        raise Unreadable(msg, line)
    try:
        return tuple(_documents(yaml.parse(text, Loader=_LOADER), nodes_max=len(text) + REPEATED_NODES_MAX))
    except yaml.MarkedYAMLError as error:
        raise _in_words(error, text) from None
    except yaml.YAMLError as error:
        msg = f"is not YAML: {error}"
        raise Unreadable(msg) from None


def locate(text: str) -> tuple[dict[Path, Node], ...]:
    """Return where the values of each document stand, in the order of `parse`, for a text that it can read.

    What an alias stands for has no place of its own, and so no entry. Raises `Unreadable`.
    """
    try:
        events = yaml.parse(text, Loader=yaml.BaseLoader)  # its marks count characters, whatever libyaml counts
        return tuple(_Surveyor(events, text).document() for event in events if isinstance(event, DocumentStartEvent))
    except yaml.YAMLError:  # it takes a little less than libyaml does
        msg = "is laid out in a way that nobody but libyaml reads"
        raise Unreadable(msg) from None


def _documents(events: Iterator[Event], nodes_max: int) -> Iterator[RawDocument]:
    nodes = _Budget(nodes_max)
    count = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            count += 1
            if count > DOCUMENTS_MAX:
                msg = f"holds more than {DOCUMENTS_MAX:,} documents: split the file"
                raise Unreadable(msg, _line(event))
            yield _Builder(events, nodes).document()


def _in_words(error: yaml.MarkedYAMLError, text: str) -> Unreadable:
    problem = error.problem or "cannot be understood"
    if "nesting depth" in problem:  # libyaml's own limit, since 0.2.6, which it may notice before we count
        return Unreadable(_TOO_DEEP, error.problem_mark.line + 1 if error.problem_mark else None)
    found, begun = (mark.line if mark else None for mark in (error.problem_mark, error.context_mark))
    words, at = in_words(problem, found, begun, text.splitlines())
    return Unreadable(f"is not YAML: {words}", None if at is None else at + 1)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Surveyor:
    """Finds the places of one document's values, from the events that follow its start."""

    def __init__(self, events: Iterator[Event], text: str) -> None:
        self._events = events
        self._text = text
        self._nodes: dict[Path, Node] = {}

    def document(self) -> dict[Path, Node]:
        first = next(self._events)
        self._visit(first, (), first)
        return self._nodes

    def _visit(self, event: Any, path: Path, key: Any) -> int:
        """Note the value that begins with this event, and return its end."""
        is_alias, is_scalar = isinstance(event, AliasEvent), isinstance(event, ScalarEvent)
        end = _end(event) if is_alias or is_scalar else self._visit_members(event, path)
        start = event.start_mark.index
        self._nodes[path] = Node(
            start=start,
            end=start + len(self._text[start:end].rstrip()),  # a block scalar takes the empty lines after it along
            key=key.start_mark.index,
            column=event.start_mark.column,
            is_scalar=is_scalar,
            is_flow=bool(getattr(event, "flow_style", False)),
            is_alias=is_alias,
            is_marked=not is_alias and (event.anchor is not None or event.tag is not None),
            style=event.style if is_scalar else None,
        )
        return end

    def _visit_members(self, event: Any, path: Path) -> int:
        """Note what stands in a collection. One in block style ends with its last value, not where the next begins."""
        count, end = 0, _end(event)
        while not isinstance(inner := next(self._events), SequenceEndEvent | MappingEndEvent):
            if isinstance(event, SequenceStartEvent):
                end = self._visit(inner, (*path, count), inner)
            else:
                end = self._visit(next(self._events), (*path, getattr(inner, "value", "")), inner)
            count += 1
        return _end(inner) if event.flow_style else end


def _end(event: Any) -> int:
    return int(event.end_mark.index)


class _Budget:
    """How many nodes a file may still have, aliases written out.

    Every node that really stands in a file takes a character, so only aliases can use up the file's length and more.
    """

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, nodes: int, line: int) -> None:
        self.left -= nodes
        if self.left < 0:
            msg = f"aliases repeat more than {REPEATED_NODES_MAX:,} values"
            raise Unreadable(msg, line)


class _Builder:
    """Makes one document from the events that follow its start."""

    def __init__(self, events: Iterator[Event], nodes: _Budget) -> None:
        self._events = events
        self._nodes = nodes
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._lines: dict[Path, int] = {}
        self._problems: list[Problem] = []

    def document(self) -> RawDocument:
        first = next(self._events)
        value = self._value(first, ())
        return RawDocument(value, _line(first), self._lines, tuple(self._problems))

    def _value(self, event: Any, path: Path) -> Any:
        self._nodes.spend(1, _line(event))
        if isinstance(event, AliasEvent):
            return self._repeated(event)
        if event.anchor is None:
            return self._fresh(event, path)
        self._anchors[event.anchor] = None
        before = self._nodes.left
        value = self._fresh(event, path)
        self._anchors[event.anchor] = value, before - self._nodes.left + 1
        return value

    def _repeated(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            msg = f"the alias *{event.anchor} has no anchor &{event.anchor} before it in this document"
            raise Unreadable(msg, _line(event))
        anchored = self._anchors[event.anchor]
        if anchored is None:
            msg = f"the alias *{event.anchor} stands inside of what it names"
            raise Unreadable(msg, _line(event))
        value, size = anchored
        self._nodes.spend(size, _line(event))
        return value

    def _fresh(self, event: Any, path: Path) -> Any:
        if event.tag not in _TAGS:
            self._problem(path, event, f"the tag {quoted(event.tag)} is not allowed: write plain values")
        if isinstance(event, ScalarEvent):
            is_plain = event.tag is None and not event.style
            return None if is_plain and event.value in _NULLS else event.value
        if len(path) >= DEPTH_MAX:
            raise Unreadable(_TOO_DEEP, _line(event))
        return self._items(path) if isinstance(event, SequenceStartEvent) else self._members(path)

    def _items(self, path: Path) -> list[Any]:
        items: list[Any] = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            here = (*path, len(items))
            self._lines[here] = _line(event)
            items.append(self._value(event, here))
        return items

    def _members(self, path: Path) -> dict[str, Any]:
        members: dict[str, Any] = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event, path)
            here = (*path, key)
            if key in members:
                self._problem(here, event, f"this key stands twice: first on line {self._lines[here]}")
                self._value(next(self._events), here)
                continue
            self._lines[here] = _line(event)
            value = self._value(next(self._events), here)
            if key == MERGE:
                self._problem(here, event, "merge keys are not supported: write the values out")
            else:
                members[key] = value
        return members

    def _key(self, event: Event, path: Path) -> str:
        if isinstance(event, CollectionStartEvent):
            msg = "a key must be text, not a list or a mapping: quote a value that holds '{{'"
            raise Unreadable(msg, _line(event))
        key = self._value(event, path)
        if isinstance(key, str):
            return key
        self._problem(path, event, "a key must be text")
        return ""

    def _problem(self, path: Path, event: Event, message: str) -> None:
        self._problems.append(Problem(path, _line(event), message))
