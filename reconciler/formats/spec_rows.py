"""The parsed documents of a spec file as one line of JSON, for the index of the specs. Pure.

Rules: unpacking a row gives the same documents as parsing the file. No row is made for a file with an error. A row
contains neither the text of the file nor the line numbers of its fields. If a line number is needed to report a
problem, the file is read and parsed again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Path
from reconciler.formats.yaml_text import parse

_json = json.JSONEncoder(separators=(",", ":")).encode
_parse_json = json.JSONDecoder().raw_decode


def pack_documents(digest: bytes, documents: Iterable[RawDocument]) -> str:
    """Return the row for the documents of a file, none of which may have an error.

    `digest` is the digest of the bytes of the file.
    """
    return _json([digest.hex(), *([each.line, each.value] for each in documents)])


def unpack_documents(row: str, read: ReadAgain, file: str) -> tuple[bytes, tuple[RawDocument, ...]]:
    """Return the digest of the bytes of a file, and its documents.

    Args:
        row: a result of `pack_documents`.
        read: reads the file again if a line number is needed.
        file: the path of the file.
    """
    (written, *documents), _ = _parse_json(row)
    digest = bytes.fromhex(written)
    return digest, _with_lines_on_demand(_LinesOfFile(read, file, digest), documents)


def without_lines(
    documents: tuple[RawDocument, ...], read: ReadAgain, file: str, digest: bytes
) -> tuple[RawDocument, ...]:
    """Return the documents of a file without their line numbers, which take more memory than the file.

    If a line number is needed, the file is read and parsed again. Documents with an error are returned unchanged.
    """
    if any(each.problems for each in documents):
        return documents
    return _with_lines_on_demand(_LinesOfFile(read, file, digest), ((each.line, each.value) for each in documents))


ReadAgain = Callable[[str, bytes], str | None]
"""A function that returns the text of a file, or None if its bytes no longer have a digest, which is also given."""


def _with_lines_on_demand(lines: _LinesOfFile, documents: Iterable[tuple[int, Any]]) -> tuple[RawDocument, ...]:
    return tuple(
        [RawDocument(value, line, LinesOnDemand(lines, number), ()) for number, (line, value) in enumerate(documents)]
    )


@dataclass(slots=True)
class _LinesOfFile:
    """The line numbers of all fields in a file. The file is read again when a line number is first needed."""

    read: ReadAgain
    file: str
    digest: bytes
    _found: tuple[Mapping[Path, int], ...] | None = None

    def of(self, number: int) -> Mapping[Path, int]:
        """Return the line numbers in one document. They are unknown if the file has changed."""
        if self._found is None:
            text = self.read(self.file, self.digest)
            self._found = () if text is None else tuple(each.lines for each in parse(text))
        return self._found[number] if self._found else {}


@dataclass(frozen=True, slots=True, eq=False)
class LinesOnDemand(Mapping[Path, int]):
    """The line numbers of one document's keys and items, by path. They are computed at the first use of any of them."""

    of_file: _LinesOfFile
    number: int

    def __getitem__(self, path: Path) -> int:
        """Return the line of a path. Raises `KeyError` if there is no such path, or if the file has changed."""
        return self.of_file.of(self.number)[path]

    def __iter__(self) -> Iterator[Path]:
        """Yield each path. The path of a value comes before those of its members."""
        return iter(self.of_file.of(self.number))

    def __len__(self) -> int:
        """Return the number of paths in the document."""
        return len(self.of_file.of(self.number))
