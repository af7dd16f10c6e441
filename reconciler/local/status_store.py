"""The status tree: one file per job, in the folders of the specs.

Rules:

- A status is written only if its bytes change, and a file is replaced in one step.
- Files that are not statuses are left unchanged.
- A discarded file is overwritten only by the status of its path. A file from a later version is never overwritten.
- A file that the last `load` could not read is unknown, not missing. It is overwritten only if this process wrote it.
- A method that writes or removes a file raises `OSError` if that fails.
- With an index, an unchanged file is not opened, and an unchanged status is not even rendered.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from reconciler.formats.status_parser import StatusTooNewError, StatusUnreadableError, as_written
from reconciler.formats.status_writer import render_provider_status, render_status
from reconciler.local.file_index import FileIndex
from reconciler.local.status_contents import (
    StatusFile,
    file_of_row,
    freshness,
    parse_file,
    path_of,
    rendered,
    row_of,
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
        self._bytes: dict[str, bytes | JobStatus] = {}
        """The bytes of each file, or a status whose rendered text equals them."""
        self._replaced: dict[str, dict[str, bytes]] = {}
        """The bytes of the files that the last `write` of each status replaced, by the status's name and the path."""
        self._parsed: dict[str, StatusFile] = {}
        self._collected: StoredStatuses | None = None
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._discarded: dict[str, None] = {}
        """The discarded paths, in the order of the last `load`, except those that were written or removed since."""
        self._too_new: dict[str, tuple[str, str] | None] = {}
        self._unread: tuple[Unread, ...] = ()
        self._temporary: list[str] | None = None
        """The temporary files of killed processes, until the first write removes them. None before the first `load`."""
        self._written: dict[str, bytes] = {}
        """The bytes that this process wrote to each path, unless other bytes have been read there since."""
        self._changed: set[str] = set()
        """The paths that have been written or removed since they were last parsed."""
        self._was_there: bool | None = None
        """Whether the tree existed before the first `load`."""

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Without `by_content`, a file whose stamp has not changed is not read again.

        A file that cannot be read or parsed is reported in the result.
        """
        parsed, self._parsed, self._collected = self._parsed, {}, None
        self._bytes, self._changed, self._discarded, self._too_new = {}, set(), {}, {}
        begun_at = self._index.now() if self._index is not None else None
        walked = walk(self._disk, self._root)
        if self._was_there is None:
            self._was_there = not walked.is_missing
        self._unread = tuple(unread(path, error) for path, error in walked.refused.items())
        for path, stamp in walked.files:
            before = parsed.get(path)
            known = self._known_file(path, stamp, before, by_content=by_content)
            if known is None:
                self._load_file(path, stamp, before, begun_at)
            else:
                self._parsed[path], self._bytes[path] = known, known.contents
        if self._temporary is None:
            self._temporary = walked.temporary
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
        """Read one file, and record its status, or why it has none."""
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

    def known(self) -> StoredStatuses:
        """Return the statuses of the last `load`, with later writes. The disk is not read."""
        for path in sorted(self._changed):
            if (data := self._bytes_of(path)) is not None:
                self._parsed[path] = StatusFile(None, data, parse_file(path, data))
            else:
                self._parsed.pop(path, None)
        if self._changed or self._collected is None:
            self._changed.clear()
            self._collected = self._collect()
        return self._collected

    def _collect(self) -> StoredStatuses:
        self._paths = defaultdict(set)
        jobs: dict[str, JobStatus] = {}
        providers: list[ProviderStatus] = []
        for path, known in self._parsed.items():
            status = known.status
            if isinstance(status, ProviderStatus):
                providers.append(status)
            elif status is not None:
                self._paths[status.name].add(path)
                other = jobs.get(status.name)
                jobs[status.name] = max(other, status, key=freshness) if other else status
        return StoredStatuses(
            jobs=tuple(jobs.values()),
            providers=tuple(providers),
            discarded=tuple(self._discarded),
            unread=self._unread,
            too_new=tuple(sorted(self._too_new)),
            too_new_jobs=frozenset(each for each in self._too_new.values() if each is not None),
        )

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those on the disk. Return whether it was written.

        If the spec was moved, its old file is removed. Raises `OSError` if a file cannot be written, synced or removed.
        """
        path = path_of(status)
        self._replaced.pop(status.name, None)
        if path in self._too_new or self._is_unmoved(path, status):
            return False
        replaced = {
            each: data for each in {*self._paths[status.name], path} if (data := self._bytes_of(each)) is not None
        }
        file = rendered(status)
        is_changed = self._write_file(path, file.data, durable=durable)
        if is_changed:
            self._parsed[path], self._collected = written_file(file), None
            self._changed.discard(path)
        self._replaced[status.name] = replaced
        for other in self._paths[status.name] - {path}:
            self._remove_file(other)
        self._paths[status.name] = {path}
        return is_changed

    def remove(self, status: JobStatus) -> None:
        """Remove the files of a status. Raises `OSError` if one cannot be removed."""
        for path in self._paths.pop(status.name, set()):
            self._remove_file(path)

    def discard(self, path: str) -> None:
        """Remove a file if its content was discarded. Raises `OSError` if the file cannot be removed."""
        if path in self._discarded:
            self._remove_file(path)

    def restore(self, status: JobStatus) -> None:
        """Undo the last `write` of this status, if it wrote anything. Raises `OSError` if the disk fails."""
        written, replaced = path_of(status), self._replaced.pop(status.name, None)
        if replaced is None:
            return
        for path, data in replaced.items():
            self._write_file(path, data, durable=True)
        if written not in replaced:
            self._remove_file(written)
        self._paths[status.name] = set(replaced)

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
        if self._written.get(path) not in {None, data}:
            del self._written[path]
        self._bytes[path] = data
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
        walked = walk(self._disk, self._root) if self._written else Walked()
        for path, stamp in walked.files:
            known = self._parsed.get(path)
            if path not in self._written or known is None:
                continue
            with suppress(OSError):
                is_same = as_written(self._disk.read(self._root / path)) == self._written[path] == known.data
                self._index.keep(path, stamp, row_of(known) if is_same else None, begun_at)
        self._index.save()

    def _bytes_of(self, path: str) -> bytes | None:
        """Return the last known bytes of a file, or None if there is no file."""
        found = self._bytes.get(path)
        return render_status(found).encode() if isinstance(found, JobStatus) else found

    def _is_unmoved(self, path: str, status: JobStatus) -> bool:
        """Return whether an unchanged file contains this status, so that rendering it would give the same bytes."""
        known = self._bytes.get(path)
        is_same = isinstance(known, JobStatus) and known == status and self._paths[status.name] == {path}
        return is_same and self._index is not None and not self._index.may_hold_secret()

    def _write_file(self, path: str, data: bytes, *, durable: bool) -> bool:
        if self._bytes_of(path) == data:
            return False
        target = self._root / path
        if self._is_unread(path) and path not in self._written:
            why = "the file could not be read, so it is not overwritten: make it readable"
            raise OSError(errno.EAGAIN, why, str(target))
        self._remove_temporary()
        fresh = self._disk.write_beside(target, data)
        try:
            if durable:
                self._disk.sync(fresh)
            self._disk.rename(fresh, target)
        except OSError:
            with suppress(OSError):
                self._disk.remove(fresh)
            raise
        self._bytes[path] = data
        self._written[path] = data
        self._changed.add(path)
        self._discarded.pop(path, None)
        if durable:
            self._sync_parents(target)
        return True

    def _sync_parents(self, target: Path) -> None:
        """Make the entries of a file and of its parent directories durable, because all of them may be new."""
        last = self._root if self._was_there else self._root.parent
        for directory in target.parents:
            self._disk.sync_dir(directory)
            if directory == last:
                return

    def _remove_file(self, path: str) -> None:
        self._disk.remove(self._root / path)
        self._bytes.pop(path, None)
        self._written.pop(path, None)
        self._changed.add(path)
        self._discarded.pop(path, None)

    def _remove_temporary(self) -> None:
        while self._temporary:
            with suppress(OSError):
                self._disk.remove(self._root / self._temporary.pop())
