"""The parsed documents of a spec file as one line of JSON, for the index of the specs. Pure.

Rules: a row gives the documents that parsing its text gives, and a text in which parsing finds an error has no row.
Lines are not in a row: they are found by parsing the text again, because they are only needed to report a problem.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Path
from reconciler.formats.yaml_text import parse

_json = json.JSONEncoder(separators=(",", ":")).encode


def pack_documents(data: bytes, documents: tuple[RawDocument, ...]) -> str | None:
    """Return the row of a file's bytes and its documents, or None if it has none."""
    if any(each.problems for each in documents) or data.startswith(codecs.BOM_UTF8):
        return None
    return _json([data.decode(), *([each.line, each.value] for each in documents)])


def unpack_documents(row: str) -> tuple[str, tuple[RawDocument, ...]]:
    """Return the text and the documents of a row."""
    text, *documents = json.loads(row)
    lines = _LinesOfText(text)
    found = (RawDocument(value, line, LinesOnDemand(lines, at), ()) for at, (line, value) in enumerate(documents))
    return text, tuple(found)


@dataclass(slots=True)
class _LinesOfText:
    """The lines of every document of a text, which is parsed once one of them is needed."""

    text: str
    _found: tuple[Mapping[Path, int], ...] = ()

    def of(self, number: int) -> Mapping[Path, int]:
        if not self._found:
            self._found = tuple(each.lines for each in parse(self.text))
        return self._found[number]


@dataclass(frozen=True, slots=True, eq=False)
class LinesOnDemand(Mapping[Path, int]):
    """The lines of one document of a text."""

    of_text: _LinesOfText
    number: int

    def __getitem__(self, path: Path) -> int:
        """Return the line of a path. Raises KeyError if there is no such path."""
        return self.of_text.of(self.number)[path]

    def __iter__(self) -> Iterator[Path]:
        """Yield each path, outer ones first."""
        return iter(self.of_text.of(self.number))

    def __len__(self) -> int:
        """Return the number of keys and items."""
        return len(self.of_text.of(self.number))
