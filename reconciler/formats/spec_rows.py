"""The parsed documents of a spec file as one line of JSON, for the index of the specs. Pure.

Rules: unpacking a row gives the same documents as parsing the file. No row is made for a file with an error. A row
contains the text of the file, but not the line numbers of its fields. If a line number is needed to report a problem,
the text is parsed again.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Path
from reconciler.formats.yaml_text import parse

_json = json.JSONEncoder(separators=(",", ":")).encode


def pack_documents(data: bytes, documents: tuple[RawDocument, ...]) -> str | None:
    """Return the row for the bytes and documents of a file.

    Return None if a document has an error or the file begins with a byte order mark, because a row cannot represent
    these.
    """
    if any(each.problems for each in documents) or data.startswith(codecs.BOM_UTF8):
        return None
    return _json([data.decode(), *([each.line, each.value] for each in documents)])


def unpack_documents(row: str) -> tuple[str, tuple[RawDocument, ...]]:
    """Return the text of the file and its documents. `row` must be a result of `pack_documents`."""
    text, *documents = json.loads(row)
    return text, _with_lines_on_demand(text, documents)


def without_lines(text: str, documents: tuple[RawDocument, ...]) -> tuple[RawDocument, ...]:
    """Return the documents in a text without their line numbers, which take more memory than the text.

    If a line number is needed, the text is parsed again. The documents of a text with an error are returned unchanged.
    """
    if any(each.problems for each in documents):
        return documents
    return _with_lines_on_demand(text, ((each.line, each.value) for each in documents))


def _with_lines_on_demand(text: str, documents: Iterable[tuple[int, Any]]) -> tuple[RawDocument, ...]:
    lines = _LinesOfText(text)
    return tuple(
        RawDocument(value, line, LinesOnDemand(lines, number), ()) for number, (line, value) in enumerate(documents)
    )


@dataclass(slots=True)
class _LinesOfText:
    """The line numbers of all fields in a text. The text is parsed when a line number is first needed."""

    text: str
    _found: tuple[Mapping[Path, int], ...] = ()

    def of(self, number: int) -> Mapping[Path, int]:
        if not self._found:
            self._found = tuple(each.lines for each in parse(self.text))
        return self._found[number]


@dataclass(frozen=True, slots=True, eq=False)
class LinesOnDemand(Mapping[Path, int]):
    """The line numbers of one document's keys and items, by path. They are computed at the first use of any of them."""

    of_text: _LinesOfText
    number: int

    def __getitem__(self, path: Path) -> int:
        """Return the line of a path. Raises `KeyError` if there is no such path."""
        return self.of_text.of(self.number)[path]

    def __iter__(self) -> Iterator[Path]:
        """Yield each path. The path of a value comes before those of its members."""
        return iter(self.of_text.of(self.number))

    def __len__(self) -> int:
        """Return the number of paths in the document."""
        return len(self.of_text.of(self.number))
