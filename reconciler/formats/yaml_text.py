"""Parse YAML into dicts, lists and texts. Every scalar but null is returned as text, and each value has a line.

This is the only module that imports `yaml`. Rules:

- The type of a scalar is not guessed. Only a plain `null`, `Null`, `NULL`, `~` or empty scalar becomes None.
- Aliases are followed, up to a limit. Merge keys, and tags that are not YAML's own, are errors.
- The memory for a text is proportional to its length, whatever it contains. Therefore lines are stored as a tree
  instead of one path per node, and the numbers of repeated nodes and of errors are limited.

Implementation: documents are built from the parser's events instead of its nodes. That is twice as fast, and the
composer in C overflows the stack on deep nesting.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
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

from reconciler.formats.yaml_documents import ParseBudget, RawDocument, YamlProblem, YamlUnreadableError
from reconciler.formats.yaml_errors import explain_error
from reconciler.formats.yaml_positions import Lines, Members, Node, Path
from reconciler.model.scalar import quoted

PARSER = f"pyyaml-{yaml.__version__}"
"""The library that parses, with its version."""
DOCUMENTS_MAX = 10_000
DEPTH_MAX = 100
MERGE = "<<"

_TOO_DEEP = f"the file is nested deeper than {DEPTH_MAX} levels: reduce the nesting"
_LOADER = getattr(yaml, "CBaseLoader", yaml.BaseLoader)  # libyaml is not in every build of PyYAML
_NO_CHARACTER = (OverflowError, ValueError)
"""What the pure Python parser raises for an escape such as `\\U99999999`, which is not a character."""
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TAGS = frozenset(
    {None, "!", *(f"tag:yaml.org,2002:{name}" for name in ("str", "int", "float", "bool", "null", "seq", "map"))}
)
_CONFLICT = re.compile(r"^<<<<<<<", re.MULTILINE)


def parse(text: str, loader: type[yaml.BaseLoader | yaml.CBaseLoader] = _LOADER) -> tuple[RawDocument, ...]:
    """Return the documents in a text. The value of an empty document is None.

    An error that leaves the rest of a document readable is in the document's `problems`. Raises `YamlUnreadableError`,
    with a message for the user, if the text is not YAML or exceeds a limit.

    Args:
        text: the text.
        loader: the class with which PyYAML parses; by default that of libyaml, if PyYAML was built with it.
    """
    conflict = _CONFLICT.search(text)
    if conflict:
        line = text.count("\n", 0, conflict.start()) + 1
        msg = "a Git merge conflict is not resolved here: resolve it"
        raise YamlUnreadableError(msg, line)
    try:
        # `yaml.parse` yields the same events from a generator, which takes a quarter more time.
        return tuple(_documents(iter(loader(text).get_event, None)))
    except yaml.MarkedYAMLError as error:
        raise _in_words(error, text) from None
    except (yaml.YAMLError, *_NO_CHARACTER):
        msg = "invalid YAML: the file contains a character that YAML does not allow: remove it"
        raise YamlUnreadableError(msg) from None


def locate(text: str, index: int, depth: int) -> dict[Path, Node]:
    """Return the positions of the values in one document, for a text that `parse` accepts.

    The position of an alias is returned, but not those of the values inside the value that it repeats.

    Args:
        text: the text.
        index: the index of the document in the result of `parse`.
        depth: the maximum length of a path. The positions of values below this depth are not returned.

    Raises `YamlUnreadableError` if the positions cannot be determined safely.
    """
    try:
        events = yaml.parse(text, Loader=yaml.BaseLoader)  # counts positions in characters; libyaml may not
        begun = (event for event in events if isinstance(event, DocumentStartEvent))
        next(islice(begun, index, None))
        return _NodeLocator(events, text, depth).document()
    except (yaml.YAMLError, *_NO_CHARACTER):  # the pure Python parser accepts slightly less than libyaml
        msg = "the layout of the file cannot be edited safely"
        raise YamlUnreadableError(msg) from None


def _documents(events: Iterator[Event]) -> Iterator[RawDocument]:
    left = ParseBudget()
    count = 0
    for event in events:
        if isinstance(event, DocumentStartEvent):
            count += 1
            if count > DOCUMENTS_MAX:
                msg = f"the file contains more than {DOCUMENTS_MAX:,} documents: split it"
                raise YamlUnreadableError(msg, _line(event))
            yield _Builder(events, left).document()


def _in_words(error: yaml.MarkedYAMLError, text: str) -> YamlUnreadableError:
    problem = error.problem or ""
    if "nesting depth" in problem:  # libyaml has had its own limit since 0.2.6, and may reach it first
        return YamlUnreadableError(_TOO_DEEP, error.problem_mark.line + 1 if error.problem_mark else None)
    found, begun = ((mark.line, mark.column) if mark else None for mark in (error.problem_mark, error.context_mark))
    words, at = explain_error(problem, found, begun, text.splitlines())
    line, column = (None, None) if at is None else (at[0] + 1, at[1] + 1)
    return YamlUnreadableError(f"invalid YAML: {words}", line, column)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


class _NodeLocator:
    """Locates the values of one document, from the events that follow its start."""

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
        """Read the value that begins with this event, and return its end. Record its position unless `path` is None."""
        is_alias, is_scalar = isinstance(event, AliasEvent), isinstance(event, ScalarEvent)
        end = _end(event) if is_alias or is_scalar else self._visit_members(event, path)
        if path is None:
            return end
        start = event.start_mark.index
        self._nodes[path] = Node(
            start=start,
            end=start + len(self._text[start:end].rstrip()),  # without the empty lines after a block scalar
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
        """Read the members of a collection, and return its end: for a block collection, the end of its last value."""
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


class _Builder:
    """Builds one document from the events that follow its start."""

    def __init__(self, events: Iterator[Event], left: ParseBudget) -> None:
        self._events = events
        self._left = left
        self._nodes = 0
        """The number of nodes so far. A node that an alias repeats is counted again."""
        self._anchors: dict[str, tuple[Any, int] | None] = {}
        self._path: list[str | int | None] = []
        """The path of the current value. None is the placeholder for a key that has not been read yet."""
        self._last_line = 0
        self._problems: list[YamlProblem] = []

    def document(self) -> RawDocument:
        first = next(self._events)
        value, members = self._value(first)
        return RawDocument(value, _line(first), Lines(members or {}), tuple(self._problems))

    def _value(self, event: Any) -> tuple[Any, Members | None]:
        """Return the value that begins with this event, and the lines of its members, or None for a scalar or alias."""
        self._nodes += 1
        if isinstance(event, AliasEvent):
            return self._alias_value(event), None
        if event.anchor is None:
            return self._new_value(event)
        self._anchors[event.anchor] = None
        before = self._nodes
        value, members = self._new_value(event)
        self._anchors[event.anchor] = value, self._nodes - before + 1
        return value, members

    def _alias_value(self, event: AliasEvent) -> Any:
        if event.anchor not in self._anchors:
            msg = f"the alias *{event.anchor} has no anchor &{event.anchor} before it in this document: add the anchor"
            raise YamlUnreadableError(msg, _line(event))
        anchored = self._anchors[event.anchor]
        if anchored is None:
            msg = f"the alias *{event.anchor} is inside the value that it refers to: write the value out"
            raise YamlUnreadableError(msg, _line(event))
        value, size = anchored
        self._nodes += size
        self._left.use_repeated_nodes(size, _line(event))
        return value

    def _new_value(self, event: Any) -> tuple[Any, Members | None]:
        if event.tag not in _TAGS:
            self._problem(event, f"the tag {quoted(event.tag)} is not allowed: remove it")
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
                self._problem(event, f"this key is used twice, first on line {first}: remove one of them")
                self._value(next(self._events))
                continue
            value, members = self._value(next(self._events))
            lines[key] = [line, members] if members else line
            if key == MERGE:
                self._problem(event, "merge keys are not supported: repeat the merged keys here")
            else:
                found[key] = value
        self._path.pop()
        return found, lines

    def _key(self, event: Event) -> str:
        if isinstance(event, CollectionStartEvent):
            msg = "a key must be text, not a list or a mapping: put a '{{' template in quotes"
            raise YamlUnreadableError(msg, _line(event))
        key, _ = self._value(event)
        if isinstance(key, str):
            return key
        self._problem(event, "a key must be text: put it in quotes")
        return ""

    def _line(self, event: Event) -> int:
        """Return the line of an event, from 1. Successive events on one line share one `int` object, to save memory."""
        line = _line(event)
        if line != self._last_line:
            self._last_line = line
        return self._last_line

    def _problem(self, event: Event, message: str) -> None:
        line = _line(event)
        self._left.use_problem(line)
        path = tuple(step for step in self._path if step is not None)
        self._problems.append(YamlProblem(path, line, message))
