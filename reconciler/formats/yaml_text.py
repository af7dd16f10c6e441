"""YAML as text: every scalar is the text that stands there, and every value knows its line.

The only importer of `yaml`. Rules: nothing is guessed from a scalar's look, but that a plain `null`, `~` or nothing is
None; aliases are followed, within a limit; merge keys and foreign tags are refused. Documents are built from the
parser's events, because that is twice as fast as composing nodes, and because the composer written in C overflows the
stack on deep nesting. What is kept of a text takes room in proportion to the text, whatever stands in it: lines are a
tree and not a path for each node, aliases and mistakes are counted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
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
from reconciler.formats.yaml_positions import Lines, Members, Node, Path
from reconciler.model.scalar import quoted

DOCUMENTS_MAX = 10_000
DEPTH_MAX = 100
MERGE = "<<"
REPEATED_NODES_MAX = 100_000
PROBLEMS_MAX = 1_000
"""More mistakes in one file are not told one by one."""

_TOO_DEEP = f"is nested deeper than {DEPTH_MAX} levels"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml is not in every build of PyYAML
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(
    {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))}
)
_CONFLICT = re.compile(r"^<<<<<<<", re.MULTILINE)


class YamlUnreadableError(Exception):
    """A text that cannot be read, as a whole. `line` counts from 1, where it is known."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class YamlProblem:
    """One thing that is wrong inside a document that can otherwise be read."""

    path: Path
    line: int
    message: str


@dataclass(frozen=True, slots=True)
class RawDocument:
    """A document as dicts, lists, texts and None. `lines` has the line of each key and item, by its path."""

    value: Any
    line: int
    lines: Lines
    problems: tuple[YamlProblem, ...]


Parse = Callable[[str], tuple[RawDocument, ...]]
"""What makes a text's documents of it: `parse`, or something that remembers what it made."""


def parse(text: str) -> tuple[RawDocument, ...]:
    """Return a text's documents; an empty one has the value None. Raises `YamlUnreadableError` in plain words."""
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        msg = "a conflict of a Git merge is not resolved here"
        raise YamlUnreadableError(msg, line)
    try:
        return tuple(_documents(yaml.parse(text, Loader=_LOADER)))
    except yaml.MarkedYAMLError as error:
        raise _in_words(error, text) from None
    except yaml.YAMLError as error:
        msg = f"is not YAML: {error}"
        raise YamlUnreadableError(msg) from None


def locate(text: str, index: int, depth: int) -> dict[Path, Node]:
    """Return where the values of one document stand, for a text that `parse` can read.

    What an alias stands for has no place of its own, and so no entry.

    Args:
        text: the text.
        index: which document, in the order of `parse`.
        depth: the longest path of interest.

    Raises `YamlUnreadableError`.
    """
    try:
        events = yaml.parse(text, Loader=yaml.BaseLoader)  # its marks count characters, whatever libyaml counts
        begun = (event for event in events if isinstance(event, DocumentStartEvent))
        next(islice(begun, index, None))
        return _Surveyor(events, text, depth).document()
    except yaml.YAMLError:  # it takes a little less than libyaml does
        msg = "uses a layout that this editor cannot change safely; edit it by hand"
        raise YamlUnreadableError(msg) from None


def _documents(events: Iterator[Event]) -> Iterator[RawDocument]:
    left = _Budget()
    count = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            count += 1
            if count > DOCUMENTS_MAX:
                msg = f"holds more than {DOCUMENTS_MAX:,} documents: split the file"
                raise YamlUnreadableError(msg, _line(event))
            yield _Builder(events, left).document()


def _in_words(error: yaml.MarkedYAMLError, text: str) -> YamlUnreadableError:
    problem = error.problem or "cannot be understood"
    if "nesting depth" in problem:  # libyaml's own limit, since 0.2.6, which it may notice before we count
        return YamlUnreadableError(_TOO_DEEP, error.problem_mark.line + 1 if error.problem_mark else None)
    found, begun = (mark.line if mark else None for mark in (error.problem_mark, error.context_mark))
    words, at = in_words(problem, found, begun, text.splitlines())
    return YamlUnreadableError(f"is not YAML: {words}", None if at is None else at + 1)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _Surveyor:
    """Finds the places of one document's values, from the events that follow its start."""

    def __init__(self, events: Iterator[Event], text: str, depth: int) -> None:
        self._events = events
        self._text = text
        self._depth = depth
        self._nodes: dict[Path, Node] = {}

    def document(self) -> dict[Path, Node]:
        first = next(self._events)
        self._visit(first, (), first)
        return self._nodes

    def _visit(self, event: Any, path: Path | None, key: Any) -> int:
        """Note the value that begins with this event, where it has a path, and return its end."""
        is_alias, is_scalar = isinstance(event, AliasEvent), isinstance(event, ScalarEvent)
        end = _end(event) if is_alias or is_scalar else self._visit_members(event, path)
        if path is None:
            return end
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

    def _visit_members(self, event: Any, path: Path | None) -> int:
        """Note what stands in a collection. One in block style ends with its last value, not where the next begins."""
        inside = path if path is not None and len(path) < self._depth else None
        count, end = 0, _end(event)
        while not isinstance(inner := next(self._events), SequenceEndEvent | MappingEndEvent):
            is_item = isinstance(event, SequenceStartEvent)
            here = None if inside is None else (*inside, count if is_item else getattr(inner, "value", ""))
            end = self._visit(inner if is_item else next(self._events), here, inner)
            count += 1
        return _end(inner) if event.flow_style else end


def _end(event: Any) -> int:
    return int(event.end_mark.index)


@dataclass(slots=True)
class _Budget:
    """What one file may still have of that which costs more than the characters that it takes."""

    repeated_nodes: int = REPEATED_NODES_MAX
    problems: int = PROBLEMS_MAX

    def repeat(self, nodes: int, line: int) -> None:
        self.repeated_nodes -= nodes
        if self.repeated_nodes < 0:
            msg = f"aliases repeat more than {REPEATED_NODES_MAX:,} values"
            raise YamlUnreadableError(msg, line)

    def complain(self, line: int) -> None:
        self.problems -= 1
        if self.problems < 0:
            msg = f"holds more than {PROBLEMS_MAX:,} mistakes: is this a spec?"
            raise YamlUnreadableError(msg, line)


class _Builder:
    """Makes one document from the events that follow its start."""

    def __init__(self, events: Iterator[Event], left: _Budget) -> None:
        self._events = events
        self._left = left
        self._nodes = 0
        """How many there were, aliases written out."""
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._path: list[str | int | None] = []
        """Where we are. None: at a key of the mapping above."""
        self._last_line = 0
        self._problems: list[YamlProblem] = []

    def document(self) -> RawDocument:
        first = next(self._events)
        value, members = self._value(first)
        return RawDocument(value, _line(first), Lines(members or {}), tuple(self._problems))

    def _value(self, event: Any) -> tuple[Any, Members | None]:
        """Return the value that begins with this event, and the lines of what is in it."""
        self._nodes += 1
        if isinstance(event, AliasEvent):
            return self._repeated(event), None
        if event.anchor is None:
            return self._fresh(event)
        self._anchors[event.anchor] = None
        before = self._nodes
        value, members = self._fresh(event)
        self._anchors[event.anchor] = value, self._nodes - before + 1
        return value, members

    def _repeated(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            msg = f"the alias *{event.anchor} has no anchor &{event.anchor} before it in this document"
            raise YamlUnreadableError(msg, _line(event))
        anchored = self._anchors[event.anchor]
        if anchored is None:
            msg = f"the alias *{event.anchor} stands inside of what it names"
            raise YamlUnreadableError(msg, _line(event))
        value, size = anchored
        self._nodes += size
        self._left.repeat(size, _line(event))
        return value

    def _fresh(self, event: Any) -> tuple[Any, Members | None]:
        if event.tag not in _TAGS:
            self._problem(event, f"the tag {quoted(event.tag)} is not allowed: write plain values")
        if isinstance(event, ScalarEvent):
            is_plain = event.tag is None and not event.style
            return (None if is_plain and event.value in _NULLS else event.value), None
        if len(self._path) >= DEPTH_MAX:
            raise YamlUnreadableError(_TOO_DEEP, _line(event))
        return self._items() if isinstance(event, SequenceStartEvent) else self._members()

    def _items(self) -> tuple[list[Any], Members]:
        items: list[Any] = []
        lines: list[Any] = []
        self._path.append(0)
        while not isinstance(event := next(self._events), SequenceEndEvent):
            self._path[-1] = len(items)
            line = self._line(event)
            value, members = self._value(event)
            items.append(value)
            lines.append([line, members] if members else line)
        self._path.pop()
        return items, lines

    def _members(self) -> tuple[dict[str, Any], Members]:
        found: dict[str, Any] = {}
        lines: dict[str, Any] = {}
        self._path.append(None)
        while not isinstance(event := next(self._events), MappingEndEvent):
            self._path[-1] = None
            key = self._key(event)
            self._path[-1] = key
            line = self._line(event)
            if key in found:
                first = lines[key][0] if isinstance(lines[key], list) else lines[key]
                self._problem(event, f"this key stands twice: first on line {first}")
                self._value(next(self._events))
                continue
            value, members = self._value(next(self._events))
            lines[key] = [line, members] if members else line
            if key == MERGE:
                self._problem(event, "merge keys are not supported: write the values out")
            else:
                found[key] = value
        self._path.pop()
        return found, lines

    def _key(self, event: Event) -> str:
        if isinstance(event, CollectionStartEvent):
            msg = "a key must be text, not a list or a mapping: quote a value that holds '{{'"
            raise YamlUnreadableError(msg, _line(event))
        key, _ = self._value(event)
        if isinstance(key, str):
            return key
        self._problem(event, "a key must be text")
        return ""

    def _line(self, event: Event) -> int:
        """Return the line of an event: the same object for all of a line, for there may be many on one."""
        line = _line(event)
        if line != self._last_line:
            self._last_line = line
        return self._last_line

    def _problem(self, event: Event, message: str) -> None:
        line = _line(event)
        self._left.complain(line)
        path = tuple(step for step in self._path if step is not None)
        self._problems.append(YamlProblem(path, line, message))
