"""What texts were made of them by the YAML parser, kept on the disk: parsing is nearly all that reading costs.

Rules: a text is found by the digest of its characters, and only by the very reader that made the documents of it; what
is foreign, torn, altered or tracked by Git counts as nothing; only what has nothing wrong with it is kept; the file is
replaced in one step, and a disk that refuses it is no error, for it can be made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

from reconciler.formats import yaml_text
from reconciler.formats.yaml_text import RawDocument, parse
from reconciler.git.command import Git
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
        """Return a text's documents. Raises `Unreadable`, as `parse` does."""
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
        fresh = self._file.with_name(f".{self._file.name}.tmp")
        with suppress(OSError):
            self._disk.write(fresh, body + _seal(body))
            self._disk.rename(fresh, self._file)

    def _read(self) -> str:
        try:
            data = self._disk.read(self._file)
        except OSError:
            return ""
        body, seal = data[: -len(_seal(b""))], data[-len(_seal(b"")) :]
        head = f"{_FORMAT} {_reader()}\n".encode()
        if seal != _seal(body) or not body.startswith(head) or _is_tracked(self._file):
            return ""
        return body.removeprefix(head).decode()


def _seal(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()


def _rows(text: str) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        key, _, row = line.partition(" ")
        yield key, row


def _reader() -> str:
    """Return what tells this reader from every other: the text of its module, and the parser below it."""
    source = hashlib.sha256(Path(yaml_text.__file__).read_bytes()).hexdigest()[:16]
    return f"{source} pyyaml-{version('pyyaml')}"


def _is_tracked(file: Path) -> bool:
    """Whether the file comes out of a repository, so that somebody else may have written it."""
    if not any((each / ".git").exists() for each in file.parents):
        return False
    return Git(file.parent).find("ls-files", "--error-unmatch", "--", file.name) is not None


def _packed(documents: tuple[RawDocument, ...], *, has_lines: bool) -> str:
    rows = [
        [each.line, each.value, [[line, *path] for path, line in each.lines.items()] if has_lines else []]
        for each in documents
    ]
    return json.dumps(rows, ensure_ascii=True, separators=(",", ":"))


def _unpacked(row: str) -> tuple[RawDocument, ...]:
    return tuple(
        RawDocument(value, line, {tuple(path): at for at, *path in lines}, ()) for line, value, lines in json.loads(row)
    )
