"""The specs directory as a source of documents.

Rules: whatever a user wrote, or a disk refuses, is a diagnostic and never an exception; a file that cannot be read is
named in `broken_files`, and so is a directory, because then nobody may conclude that something is gone; bytes that have
not changed are not parsed twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from reconciler.adapters.documents import merge, read_documents
from reconciler.model.diagnostic import Diagnostic, Severity
from reconciler.model.scalar import quoted
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import Origin
from reconciler.ports import Disk, Entry, Snapshot

FILES_MAX = 100_000
DEPTH_MAX = 32

_SUFFIXES = (".yaml", ".yml")
_HIDDEN = (".", "_")


@dataclass(frozen=True, slots=True)
class _Parsed:
    digest: bytes
    contents: Snapshot


class SpecsDir:
    """The `SpecSource` of a directory.

    Args:
        root: the specs directory.
        status_root: where statuses are kept, which is no place for specs; `status` below the root never is one.
        disk: how files are read.
        display: the directory as the user typed it; diagnostics begin with it.
    """

    def __init__(self, root: Path, status_root: Path, disk: Disk, display: str) -> None:
        self._root = root
        self._not_ours = frozenset({root / "status", status_root})
        self._disk = disk
        self._display = display.rstrip("/") or "/"
        self._parsed: MappingProxyType[str, _Parsed] = MappingProxyType({})

    def snapshot(self) -> Snapshot:
        """Read everything."""
        files, walked = self._walk()
        before, parsed, unread = self._parsed, {}, []
        for file in files:
            try:
                parsed[file] = self._parse(file, before.get(file))
            except OSError as error:
                unread.append(self._broken(file, f"cannot be read: {error.strerror or error}"))
        self._parsed = MappingProxyType(parsed)
        whole = merge([walked, *unread, *(each.contents for each in parsed.values())])
        said = (*whole.diagnostics, *self._shared_names(whole), *self._many_settings(whole))
        return replace(
            whole,
            diagnostics=said,
            is_settings_broken=whole.is_settings_broken or len(whole.settings) > 1,
            broken_providers=whole.broken_providers | _repeated([each.document.metadata.name for each in whole.providers]),
        )

    def current(self, file: str, name: str) -> FineTuningJob | None:
        """Read one file again, and return its job of that name if there is exactly one and it is valid."""
        try:
            contents = self._parse(file, self._parsed.get(file)).contents
        except OSError:
            return None
        found = [each.document for each in contents.jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def origin(self, file: str) -> Origin | None:  # noqa: ARG002  a bare directory has no commits
        """Return None: a directory does not know who wrote what."""
        return None

    def _parse(self, file: str, before: _Parsed | None) -> _Parsed:
        data = self._disk.read(self._root / file)
        digest = hashlib.sha256(data).digest()
        if before is not None and before.digest == digest:
            return before
        return _Parsed(digest, read_documents(data, file=file, shown=self._shown(file)))

    def _walk(self) -> tuple[list[str], Snapshot]:
        """Return the files that hold specs, sorted, and what was found wrong on the way to them."""
        files: list[str] = []
        wrong: list[Snapshot] = []
        directories = [""]
        while directories:
            directory = directories.pop()
            try:
                entries = self._disk.list(self._root / directory)
            except FileNotFoundError:
                wrong.append(self._broken(directory, "there is no such directory"))
                continue
            except OSError as error:
                wrong.append(self._broken(directory, f"cannot be read: {error.strerror or error}"))
                continue
            for entry in entries:
                path = f"{directory}/{entry.name}" if directory else entry.name
                if entry.name.startswith(_HIDDEN) or self._root / path in self._not_ours:
                    continue
                problem = _problem(path, entry)
                if problem is not None:
                    wrong.append(problem_of(self, path, entry, problem))
                elif entry.is_dir:
                    directories.append(path)
                elif path.endswith(_SUFFIXES):
                    files.append(path)
            if len(files) > FILES_MAX:
                wrong.append(self._broken("", f"holds more than {FILES_MAX:,} spec files"))
                break
        return sorted(files), merge(wrong)
