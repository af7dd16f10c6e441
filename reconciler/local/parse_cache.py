"""A disk cache of the YAML parser's results, because parsing takes most of the time of reading specs.

Rules: an entry is found by the digest of its text, and only by the same parser. A foreign or damaged cache counts as
empty. Only documents without errors are cached. The file is replaced in one step. A write error is ignored, because the
cache can be rebuilt. The cache is in the state directory, which other users cannot write. No request depends on it,
because its spec is parsed again before it is sent.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from reconciler.formats import yaml_documents, yaml_positions, yaml_text
from reconciler.formats.yaml_documents import RawDocument
from reconciler.formats.yaml_positions import Lines
from reconciler.formats.yaml_text import parse
from reconciler.ports import Disk

_FORMAT = "reconcile parse cache 1"


class ParseCache:
    """A `Parse` with a cache on disk.

    Args:
        file: the file of the cache.
        disk: the access to it.
        has_lines: whether the lines of documents are cached.
        is_kept: whether the cache will be saved. Otherwise each entry is dropped once it was used.
    """

    def __init__(self, file: Path, disk: Disk, *, has_lines: bool, is_kept: bool) -> None:
        self._file = file
        self._disk = disk
        self._has_lines = has_lines
        self._is_kept = is_kept
        self._known = dict(_rows(self._read()))
        self._used: dict[str, str] = {}
        self._is_changed = False

    def __call__(self, text: str) -> tuple[RawDocument, ...]:
        """Return a text's documents. Raises `YamlUnreadableError`, as `parse` does."""
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        row = self._known.pop(key, None) or self._used.get(key)
        if row is not None:
            self._keep(key, row)
            return _unpacked(row)
        documents = parse(text)
        if self._is_kept and not any(each.problems for each in documents):
            self._keep(key, _packed(documents, has_lines=self._has_lines))
            self._is_changed = True
        return documents

    def _keep(self, key: str, row: str) -> None:
        if self._is_kept:
            self._used[key] = row

    def save(self) -> None:
        """Write the entries that were used since the cache was opened, and drop the rest."""
        if not self._is_changed and not self._known:
            return
        rows = "".join(f"{key} {row}\n" for key, row in self._used.items())
        body = f"{_FORMAT} {_parser_id()}\n{rows}".encode()
        with suppress(OSError):
            self._disk.rename(self._disk.write_beside(self._file, body + _checksum(body)), self._file)

    def _read(self) -> str:
        try:
            data = self._disk.read(self._file)
        except OSError:
            return ""
        body, checksum = data[: -len(_checksum(b""))], data[-len(_checksum(b"")) :]
        head = f"{_FORMAT} {_parser_id()}\n".encode()
        if checksum != _checksum(body) or not body.startswith(head):
            return ""
        return body.removeprefix(head).decode()


def _checksum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, row = line.partition(" ")
        yield key, row


def _parser_id() -> str:
    """Return an identifier of this parser: of the text of its modules, and of the version of PyYAML."""
    source = b"".join(Path(str(each.__file__)).read_bytes() for each in (yaml_text, yaml_documents, yaml_positions))
    return f"{hashlib.sha256(source).hexdigest()[:16]} pyyaml-{version('pyyaml')}"


def _packed(documents: tuple[RawDocument, ...], *, has_lines: bool) -> str:
    rows = [[each.line, each.value, each.lines.tree if has_lines else {}] for each in documents]
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":"))


def _unpacked(row: str) -> tuple[RawDocument, ...]:
    return tuple(RawDocument(value, line, Lines(tree), ()) for line, value, tree in json.loads(row))
