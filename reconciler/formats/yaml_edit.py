"""Set one value in a YAML text without changing any other part of it. Pure.

Rules: the text is cut only at positions that the parser reports. Comments, quotes, line breaks, flow style and a byte
order mark are preserved. The result is parsed again. The edit is refused if another value has changed too, or if the
edit would introduce an error. A round-trip dumper is not used, because it would reformat the author's text.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.formats.spec_parser import read_documents
from reconciler.formats.yaml_documents import YamlUnreadableError
from reconciler.formats.yaml_positions import Node, Path
from reconciler.formats.yaml_text import locate, parse
from reconciler.model.kind import KINDS

INSERT_AFTER = "desiredState"
"""A new key is inserted after this key. In a mapping without this key, it is inserted after the last key."""

Value = str | bool | Mapping[str, str] | None
"""The value to set: a text, a boolean, or a mapping of texts, which is merged into an existing mapping.

None removes the key.
"""

_BREAK = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_PLAIN = re.compile(r"[A-Za-z][\w ./@+()-]*[\w.)]|[A-Za-z]|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_NOT_TEXT_ELSEWHERE = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})


class YamlEditError(Exception):
    """The edit cannot be made automatically. The message gives the reason, with the line if it is known."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One value to set below `spec` in the job document named `name`."""

    name: str
    keys: tuple[str, ...]
    value: Value

    @property
    def path(self) -> Path:
        """The path of the value in its document."""
        return ("spec", *self.keys)


def set_value(data: bytes, edit: Edit) -> bytes:
    """Return a file's bytes with one value set, added or removed.

    If the document already has the value, `data` is returned unchanged. Raises `YamlEditError` if the edit cannot be
    made.
    """
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    try:
        text = data.removeprefix(mark).decode()
    except UnicodeDecodeError:
        msg = "the file is not UTF-8"
        raise YamlEditError(msg) from None
    before = _values(text)
    index = _index(before, edit.name)
    wanted, current = _with_value(before[index], edit)
    if wanted == before[index]:
        return data
    if isinstance(edit.value, Mapping) and isinstance(current, dict) and current:
        for key, value in edit.value.items():
            data = set_value(data, Edit(edit.name, (*edit.keys, key), value))
        return data
    after = _edited(text, _nodes(text, index, len(edit.path) + 1), edit)
    _check(after, [*before[:index], wanted, *before[index + 1 :]])
    result = mark + after.encode()
    known = set(_diagnostics(data))
    if new := [each for each in _diagnostics(result) if each not in known]:
        raise YamlEditError("; ".join(new))
    return result


def scalar(text: str, style: str | None = None) -> str:
    """Return a text as a YAML scalar that every parser reads as this text.

    If `style` is a quote in which the text can be written, that quote is used. Otherwise, or if `style` is None, the
    text is written without quotes if that is safe, and else in double quotes.
    """
    is_one_line = text.isprintable()
    if style == "'" and is_one_line:
        return "'" + text.replace("'", "''") + "'"
    if style != '"' and _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT_ELSEWHERE:
        return text
    return json.dumps(text, ensure_ascii=False)


def _diagnostics(data: bytes) -> list[str]:
    found = read_documents(data, file="", shown="").diagnostics
    return [f"{each.field}: {each.message}" if each.field else each.message for each in found]


def _values(text: str) -> list[Any]:
    try:
        return [each.value for each in parse(text)]
    except YamlUnreadableError as error:
        msg = f"the file cannot be read: {error}"
        raise YamlEditError(msg) from None


def _nodes(text: str, index: int, depth: int) -> Mapping[Path, Node]:
    try:
        return locate(text, index, depth)
    except YamlUnreadableError as error:
        msg = str(error)
        raise YamlEditError(msg) from None


def _index(values: list[Any], name: str) -> int:
    found = [
        index
        for index, value in enumerate(values)
        if isinstance(value, dict) and str(value.get("kind")) in KINDS and _name(value) == name
    ]
    if len(found) != 1:
        msg = f"the file must contain exactly one job document with the name {name!r}, but contains {len(found)}"
        raise YamlEditError(msg)
    return found[0]


def _name(value: Mapping[str, Any]) -> object:
    metadata = value.get("metadata")
    return metadata.get("name") if isinstance(metadata, dict) else None


def _with_value(document: Any, edit: Edit) -> tuple[Any, Any]:
    """Return a copy of the document with the edit applied, and the value that is at the path of the edit now, or None.

    Raises `YamlEditError` if a part of the path is not a mapping.
    """
    document = json.loads(json.dumps(document))  # JSON has no aliases, so the copy shares no values
    inner = document
    for key in edit.path[:-1]:
        inner = inner.get(key)
        if not isinstance(inner, dict):
            msg = f"its {key} is not a mapping"
            raise YamlEditError(msg)
    current = inner.get(edit.path[-1])
    if edit.value is None:
        inner.pop(edit.path[-1], None)
    else:
        inner[edit.path[-1]] = dict(edit.value) if isinstance(edit.value, Mapping) else _text(edit.value)
    return document, current


def _edited(text: str, nodes: Mapping[Path, Node], edit: Edit) -> str:
    node = nodes.get(edit.path)
    if node is None:
        return _added(text, nodes, edit)
    if edit.value is None:
        return _removed(text, nodes, edit.path)
    obstacle = _obstacle(nodes, edit.path, node)
    if obstacle is not None:
        raise _refused(text, node, edit.path, obstacle)
    old = text[node.start : node.end]
    header, _, _ = old.partition("\n")
    comment = f"  {header[header.index('#') :].rstrip()}" if node.style in {"|", ">"} and "#" in header else ""
    gap = " " if node.start == node.end else ""
    return text[: node.start] + gap + _as_yaml(edit.value, node.style) + comment + text[node.end :]


def _obstacle(nodes: Mapping[Path, Node], path: Path, node: Node) -> str | None:
    """Return why a value cannot be replaced, or None."""
    if node.is_alias:
        return "is an alias of another value"
    if node.is_marked:
        return "has an anchor or a tag"
    has_parts = not node.is_scalar and any(each[:-1] == path for each in nodes if each)
    return "is not a single value" if has_parts else None


def _added(text: str, nodes: Mapping[Path, Node], edit: Edit) -> str:
    where = edit.path[:-1]
    while where not in nodes:  # `nodes` has no positions inside the value that an alias repeats
        where = where[:-1]
    around = nodes[where]
    siblings = [node for path, node in nodes.items() if path[:-1] == edit.path[:-1] and path]
    if around.is_alias or not siblings:
        what = "is an alias of another value" if around.is_alias else "is empty"
        raise _refused(text, around, where, f"{what}, so no key can be added to it")
    sibling = nodes.get((*edit.path[:-1], INSERT_AFTER), siblings[-1])
    quote = text[sibling.key] if text[sibling.key] in "'\"" else ""
    style = sibling.style if sibling.style in {"'", '"'} else None
    member = f"{quote}{edit.path[-1]}{quote}: {_as_yaml(edit.value, style)}"
    if around.is_flow:
        return f"{text[: sibling.end]}, {member}{text[sibling.end :]}"
    end, line_break = _line_end(text, sibling.end)
    return f"{text[:end]}{line_break}{' ' * around.column}{member}{text[end:]}"


def _removed(text: str, nodes: Mapping[Path, Node], path: Path) -> str:
    node, around = nodes[path], nodes[path[:-1]]
    if not around.is_flow:
        begin = max((match.end() for match in _BREAK.finditer(text, 0, node.key)), default=0)
        end, _ = _line_end(text, node.end)
        following = _BREAK.match(text, end)
        return text[:begin] + text[following.end() if following else end :]
    siblings = sorted((each for where, each in nodes.items() if where[:-1] == path[:-1] and where), key=lambda n: n.key)
    at = siblings.index(node)
    if at:
        begin, end = siblings[at - 1].end, node.end
    else:
        begin, end = node.key, siblings[1].key if len(siblings) > 1 else node.end
    if "#" in text[begin : node.key] + text[node.end : end]:
        raise _refused(text, node, path, "has a comment beside it that would be lost")
    return text[:begin] + text[end:]


def _line_end(text: str, position: int) -> tuple[int, str]:
    """Return the end of the line that contains a position, and its line break.

    If it is the last line and lacks a line break, return the first line break in the text, or a line feed.
    """
    found = _BREAK.search(text, position)
    if found is not None:
        return found.start(), found[0]
    first = _BREAK.search(text)
    return len(text), first[0] if first else "\n"


def _as_yaml(value: Value, style: str | None) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {scalar(each)}" for key, each in value.items()) + "}"
    return _text(value) if isinstance(value, bool) else scalar(value or "", style)


def _text(value: str | bool) -> str:  # noqa: FBT001  a value, not a switch
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else value


def _check(text: str, wanted: list[Any]) -> None:
    if _values(text) != wanted:
        msg = "the edit would also change other values, because of an alias or an unusual layout"
        raise YamlEditError(msg)


def _refused(text: str, node: Node, path: Path, what: str) -> YamlEditError:
    line = len(_BREAK.findall(text, 0, node.start)) + 1
    return YamlEditError(f"line {line}: {'.'.join(map(str, path))} {what}")
