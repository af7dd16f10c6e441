"""The status tree: one file per job, in the folders of the specs.

Rules:

- A status is written only if its bytes change, and a file is replaced in one step.
- Files that are not statuses are left unchanged.
- A discarded file is overwritten only by the status of its path. A file from a later version is never overwritten.
- A file that the last `load` could not read is unknown, not missing. It is overwritten only if this process wrote it.
- A method that writes or removes a file raises `OSError` if that fails, except `write_all`.
- With an index, an unchanged file is not opened, and an unchanged status is not even rendered.
"""

from __future__ import annotations

import errno
from collections.abc import Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, as_written
from reconciler.formats.status_writer import render_provider_status
from reconciler.local.archived_statuses import archived_statuses
from reconciler.local.file_index import FileIndex
from reconciler.local.status_bytes import StatusBytes
from reconciler.local.status_contents import (
    Rendered,
    StatusFile,
    collected,
    file_of_row,
    parse_file,
    path_of,
    rendered,
    rewritten,
    row_of,
    successors,
    written_file,
)
from reconciler.local.status_walk import StatusStamp, Walked, is_gone, is_never_ours, unread, walk
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import PROVIDERS, Disk, StoredStatuses, Unread
from reconciler.redaction import KNOWN_SECRETS


class StatusDirectory:
    """The `StatusStore` of a directory: the last `load`, plus its own writes. Without `index`, every file is read."""

    def __init__(self, root: Path, disk: Disk, index: FileIndex | None = None) -> None:
        self._root = root
        self._disk = disk
        self._index = index
        self._files = StatusBytes(root, disk)
        self._replaced: dict[str, dict[str, bytes]] = {}
        """The bytes of the files that the last intent of each spec replaced, by the spec's name and the path."""
        self._parsed: dict[str, StatusFile] = {}
        self._collected: StoredStatuses | None = None
        self._outdated: dict[str, StatusFile | None] = {}
        """The contents, as `_collected` has them, of the files that were written or removed since."""
        self._paths: dict[str, tuple[str, ...]] = {}
        """The paths of the files of each spec, by the name of the spec."""
        self._discarded: dict[str, None] = {}
        """The discarded paths, in the order of the last `load`, except those that were written or removed since."""
        self._too_new: dict[str, tuple[str, str] | None] = {}
        self._unread: tuple[Unread, ...] = ()

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Without `by_content`, a file whose stamp has not changed is not read again.

        A file that cannot be read or parsed is reported in the result.
        """
        parsed, self._parsed, self._collected = self._parsed, {}, None
        self._discarded, self._too_new, self._outdated = {}, {}, {}
        begun_at = self._index.now() if self._index is not None else None
        walked = walk(self._disk, self._root)
        self._files.begin(walked)
        self._unread = tuple(unread(path, error) for path, error in walked.refused.items())
        for path, stamp in walked.files:
            before = parsed.get(path)
            known = self._known_file(path, stamp, before, by_content=by_content)
            if known is None:
                self._load_file(path, stamp, before, begun_at)
            else:
                self._parsed[path], self._files.known[path] = known, known.contents
        return self._collect()

    def _known_file(
        self, path: str, stamp: StatusStamp, before: StatusFile | None, *, by_content: bool
    ) -> StatusFile | None:
        """Return the contents of a file if they are known without reading it, or None. See `StatusFile.is_certain`."""
        if before is not None:
            is_same = stamp is not None and before.stamp == stamp
            return before if is_same and (before.is_certain or not by_content) else None
        row = self._index.row(path, stamp) if self._index is not None else None
        return None if row is None or self._index is None else file_of_row(row, stamp, is_certain=self._index.is_brief)

    def _load_file(self, path: str, stamp: StatusStamp, known: StatusFile | None, begun_at: datetime | None) -> None:
        """Read one file, and record its status, or why the file has no status."""
        try:
            self._parsed[path] = self._read(path, stamp, known, begun_at)
        except StatusTooNewError as error:
            self._too_new[path] = error.job
        except (StatusUnreadableError, UnicodeDecodeError):
            self._discarded[path] = None
        except OSError as error:
            if is_never_ours(error):
                self._discarded[path] = None
            elif not is_gone(error):
                self._unread += (unread(path, error),)

    def holds_anything(self) -> bool:
        """Return whether the tree contains a file that may be a status, or a directory that cannot be read."""
        walked = walk(self._disk, self._root)
        return bool(walked.files or walked.refused)

    def archived(self, names: Collection[str]) -> tuple[JobStatus, ...]:
        """Return the archived statuses of specs with these names. Files that cannot be read are left out."""
        return archived_statuses(self._root, self._disk, names)

    def known(self) -> StoredStatuses:
        """Return the statuses of the last `load`, with later writes. The disk is not read."""
        for path in sorted(self._files.changed):
            self._outdated.setdefault(path, self._parsed.get(path))
            if (data := self._files.of(path)) is not None:
                self._parsed[path] = StatusFile(None, data, parse_file(path, data))
            else:
                self._parsed.pop(path, None)
        self._files.changed.clear()
        if self._collected is None or self._outdated:
            before = () if self._collected is None else self._collected.jobs
            self._collected = self._collect(rewritten(before, self._outdated, self._parsed, self._paths))
            self._outdated.clear()
        return self._collected

    def _collect(self, rewritten_jobs: tuple[JobStatus, ...] | None = None) -> StoredStatuses:
        if rewritten_jobs is not None and self._collected is not None:
            return replace(self._collected, jobs=rewritten_jobs, discarded=tuple(self._discarded))
        jobs, providers, self._paths = collected(self._parsed)
        return StoredStatuses(
            jobs=jobs,
            providers=providers,
            discarded=tuple(self._discarded),
            unread=self._unread,
            too_new=tuple(sorted(self._too_new)),
            too_new_jobs=frozenset(each for each in self._too_new.values() if each is not None),
        )

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those on the disk. Return whether it was written.

        If the spec was moved, its old file is removed. Raises `OSError` if a file cannot be written, synced or removed.
        """
        if (file := self._file_of(status)) is None:
            return False
        is_changed = self._write_file(file.path, file.data, durable=durable)
        self._settle(file, is_changed=is_changed)
        return is_changed

    def write_all(self, statuses: Iterable[JobStatus], *, are_intents: bool) -> dict[str, Exception]:
        """Write statuses, and sync them together, intents with their directories. Return errors by the spec's name."""
        files: dict[str, Rendered] = {}
        failed: dict[str, Exception] = {}
        for status in statuses:
            self._replaced.pop(status.name, None)
            try:
                if (file := self._file_of(status)) is not None:
                    files[file.path] = file
            except Exception as error:  # noqa: BLE001  a status that cannot be rendered affects only its own job
                failed[status.name] = error
        changed = {path: file.data for path, file in files.items() if self._files.of(path) != file.data}
        if are_intents:
            self._replaced.update((files[path].status.name, self._bytes_before(files[path])) for path in changed)
        errors = self._replace(changed, durable=True, are_intents=are_intents)
        for path, file in files.items():
            try:
                if path in errors:
                    raise errors[path]
                self._settle(file, is_changed=path in changed)
            except OSError as error:
                failed[file.status.name] = error
        return failed

    def _bytes_before(self, file: Rendered) -> dict[str, bytes]:
        """Return the bytes of the files that the write of this file replaces or removes, by path."""
        paths = {*self._paths.get(file.status.name, ()), file.path}
        return {each: data for each in paths if (data := self._files.of(each)) is not None}

    def _file_of(self, status: JobStatus) -> Rendered | None:
        """Return the file to write for a status. None if the file on disk is the same, or must not be overwritten."""
        path = path_of(status)
        return None if path in self._too_new or self._is_unmoved(path, status) else rendered(path, status)

    def _settle(self, file: Rendered, *, is_changed: bool) -> None:
        """Record that a status is on disk, and remove the files that its spec had before it was moved."""
        status, path = file.status, file.path
        if is_changed:
            self._outdated.setdefault(path, self._parsed.get(path))
            self._parsed[path] = written_file(file)
            self._files.known[path] = self._parsed[path].contents
            self._files.changed.discard(path)
        for other in self._paths.get(status.name, ()):
            if other != path:
                self._remove_file(other, (path,))
        self._paths[status.name] = (path,)

    def remove(self, status: JobStatus) -> None:
        """Remove the files of a status. Raises `OSError` if a file cannot be removed."""
        for path in self._paths.pop(status.name, ()):
            self._remove_file(path, successors(self._parsed, status))

    def discard(self, path: str) -> None:
        """Remove a file if its content was discarded. Raises `OSError` if the file cannot be removed."""
        if path in self._discarded:
            self._remove_file(path)

    def restore(self, status: JobStatus) -> None:
        """Undo the write of the last intent of this spec, if it wrote anything. Raises `OSError` if the disk fails."""
        written, replaced = path_of(status), self._replaced.pop(status.name, None)
        if replaced is None:
            return
        for path, data in replaced.items():
            self._write_file(path, data, durable=True)
        if written not in replaced:
            self._remove_file(written)
        self._paths[status.name] = tuple(replaced)

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write a provider's status if it has changed and its file may be replaced. Return whether it was written."""
        path = f"{PROVIDERS}{status.name}.yaml"
        if path in self._too_new or self._is_unread(path):
            return False
        shown = replace(status, message=KNOWN_SECRETS.redact(status.message))
        return self._write_file(path, render_provider_status(shown).encode(), durable=False)

    def remove_provider(self, name: str) -> None:
        """Remove a provider's status, unless its file could not be read. Raises `OSError` if it cannot be removed."""
        path = f"{PROVIDERS}{name}.yaml"
        if not self._is_unread(path):
            self._remove_file(path)

    def _is_unread(self, path: str) -> bool:
        """Return whether `path`, or a directory above it, could not be read at the last `load`."""
        return any(path == each.path or (each.is_directory and path.startswith(each.path)) for each in self._unread)

    def _read(self, path: str, stamp: StatusStamp, known: StatusFile | None, begun_at: datetime | None) -> StatusFile:
        """Return the contents of a file. Unchanged bytes are not parsed twice."""
        data = as_written(self._disk.read(self._root / path))
        if path in self._files.written and not self._files.was_written(path, data):
            del self._files.written[path]
        self._files.known[path] = data
        is_certain = self._index is not None and begun_at is not None and self._index.vouches_for(stamp, begun_at)
        if known is not None and known.data == data:
            return replace(known, stamp=stamp, is_certain=is_certain)
        found = StatusFile(stamp, data, parse_file(path, data), is_certain)
        if self._index is not None and self._index.is_kept and begun_at is not None:
            self._index.keep(path, stamp, row_of(found), begun_at)
        return found

    def save_index(self) -> None:
        """Save the index, with a row for each file that this process wrote. These files are read again first."""
        if self._index is None or not self._index.is_kept:
            return
        self.known()
        begun_at = self._index.now()
        for path, stamp in (walk(self._disk, self._root) if self._files.written else Walked()).files:
            known = self._parsed.get(path)
            if path not in self._files.written or known is None:
                continue
            with suppress(OSError):
                is_same = self._files.was_written(path, as_written(self._disk.read(self._root / path)))
                self._index.keep(path, stamp, row_of(known) if is_same else None, begun_at)
        self._index.save()

    def _is_unmoved(self, path: str, status: JobStatus) -> bool:
        """Return whether an unchanged file contains this status, so that rendering it would give the same bytes."""
        known = self._files.known.get(path)
        is_same = known == status and path not in self._files.written and self._paths.get(status.name) == (path,)
        return is_same and self._index is not None and not self._index.may_hold_secret()

    def _write_file(self, path: str, data: bytes, *, durable: bool) -> bool:
        if self._files.of(path) == data:
            return False
        for error in self._replace({path: data}, durable=durable).values():
            raise error
        return True

    def _replace(self, files: Mapping[str, bytes], *, durable: bool, are_intents: bool = False) -> dict[str, OSError]:
        """Replace files, and return the error of each file that could not be replaced or synced."""
        why = "the file could not be read, so it is not overwritten: make it readable"
        unread = [path for path in files if self._unread and path not in self._files.written and self._is_unread(path)]
        unknown = {path: OSError(errno.EAGAIN, why, str(self._root / path)) for path in unread}
        known = {path: data for path, data in files.items() if path not in unknown}
        failed = self._files.replace(known, durable=durable, are_intents=are_intents)
        for path in self._files.changed.intersection(known):
            self._discarded.pop(path, None)
        return unknown | failed

    def _remove_file(self, path: str, after: Iterable[str] = ()) -> None:
        self._files.remove(path, after)
        self._discarded.pop(path, None)
