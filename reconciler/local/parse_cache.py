"""What texts were made of them by the YAML parser, kept on the disk: parsing is nearly all that reading costs.

Rules: a text is found by the digest of its characters, and only by the very reader that made the documents of it; what
is foreign or torn counts as nothing; only what has nothing wrong with it is kept; the file is replaced in one step, and
a disk that refuses it is no error, for it can be made again. It stands in the state directory, which nobody else can
write to; and what a request rests on is parsed anew before it leaves, so that nothing here decides one.
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
    """A `Parse` that remembers.

    Args:
        file: where it is kept.
        disk: how it is read and written.
        has_lines: whether anybody asks for the lines of what was parsed.
        is_kept: whether it will be saved; otherwise each row is let go once it was used.
    """

    def __init__(self, file: Path, disk: Disk, *, has_lines: bool, is_kept: bool) -> None:
        self._file = file
        self._disk = disk
        self._has_lines = has_lines
        self._is_kept = is_kept
        self._known = dict(_rows(self._read()))
        self._used: dict[str, str] = {}
        self._is_news = False

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
            self._is_news = True
        return documents

    def _keep(self, key: str, row: str) -> None:
        if self._is_kept:
            self._used[key] = row

    def save(self) -> None:
        """Keep what was asked for since it was opened, and forget the rest."""
        if not self._is_news and not self._known:
            return
        rows = "".join(f"{key} {row}\n" for key, row in self._used.items())
        body = f"{_FORMAT} {_reader()}\n{rows}".encode()
        with suppress(OSError):
            self._disk.rename(self._disk.write_beside(self._file, body + _seal(body)), self._file)

    def _read(self) -> str:
        try:
            data = self._disk.read(self._file)
        except OSError:
            return ""
        body, seal = data[: -len(_seal(b""))], data[-len(_seal(b"")) :]
        head = f"{_FORMAT} {_reader()}\n".encode()
        if seal != _seal(body) or not body.startswith(head):
            return ""
        return body.removeprefix(head).decode()


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, row = line.partition(" ")
        yield key, row


def _reader() -> str:
    """Return what tells this reader from every other: the text of its modules, and the parser below it."""
    source = b"".join(Path(str(each.__file__)).read_bytes() for each in (yaml_text, yaml_documents, yaml_positions))
    return f"{hashlib.sha256(source).hexdigest()[:16]} pyyaml-{version('pyyaml')}"


def _packed(documents: tuple[RawDocument, ...], *, has_lines: bool) -> str:
    rows = [[each.line, each.value, each.lines.tree if has_lines else {}] for each in documents]
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":"))


def _unpacked(row: str) -> tuple[RawDocument, ...]:
    return tuple(RawDocument(value, line, Lines(tree), ()) for line, value, tree in json.loads(row))
