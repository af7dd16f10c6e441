"""The status tree: one file per job, in the folders of the specs.

Rules:

- A status is written only if its bytes change, and a file is replaced in one step.
- Other files in the tree stay untouched.
- A discarded file is overwritten only by the status that belongs there. A file from a later version of reconcile is
  never overwritten.
- A file that could not be read this time is unknown, not missing. It is overwritten only if this process wrote it.
"""

from __future__ import annotations

import errno
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.formats.status_parser import (
    StatusTooNewError,
    StatusUnreadableError,
    as_written,
    is_status_file,
    parse_provider_status,
    parse_status,
)
from reconciler.formats.status_writer import render_provider_status, render_status
from reconciler.formats.yaml_documents import Parse
from reconciler.formats.yaml_text import parse
from reconciler.local.status_walk import StatusStamp, is_gone, is_never_ours, unread, walk
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import PROVIDERS, Disk, StoredStatuses, Unread, status_path
from reconciler.redacted_provider import without_secrets
from reconciler.redaction import KNOWN_SECRETS

_Status = JobStatus | ProviderStatus | None  # None: not a file of ours


@dataclass(frozen=True, slots=True)
class _ParsedStatus:
    """The contents of one file, and its stamp just before it was read."""

    stamp: StatusStamp
    data: bytes
    status: _Status


class StatusDirectory:
    """The `StatusStore` of a directory. It reflects the last `load`, plus its own writes."""

    def __init__(self, root: Path, disk: Disk, parse: Parse = parse) -> None:
        self._root = root
        self._disk = disk
        self._parse_text = parse
        self._bytes: dict[str, bytes] = {}
        self._replaced: dict[str, dict[str, bytes]] = {}
        """By name, the files that the last `write` replaced. A later `load` may read the new files."""
        self._parsed: dict[str, _ParsedStatus] = {}
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._discarded: tuple[str, ...] = ()
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
        """Read the whole tree. Never raises because of a file's content.

        Without `by_content`, a file whose stamp has not changed is not read again.
        """
        if self._was_there is None:
            self._was_there = self._is_there()
        parsed, self._parsed = self._parsed, {}
        self._bytes, self._changed, self._discarded, self._too_new = {}, set(), (), {}
        walked = walk(self._disk, self._root)
        self._unread = tuple(unread(path, error) for path, error in walked.refused.items())
        for path, stamp in walked.files:
            known = parsed.get(path)
            if by_content or known is None or stamp is None or known.stamp != stamp:
                self._load_file(path, stamp, known)
            else:
                self._parsed[path], self._bytes[path] = known, known.data
        if self._temporary is None:
            self._temporary = walked.temporary
        return self._collected()

    def _load_file(self, path: str, stamp: StatusStamp, known: _ParsedStatus | None) -> None:
        """Read one file, and record what it is."""
        try:
            self._parsed[path] = self._read(path, stamp, known)
        except StatusTooNewError as error:
            self._too_new[path] = error.job
        except (StatusUnreadableError, UnicodeDecodeError):
            self._discarded += (path,)
        except OSError as error:
            if is_never_ours(error):
                self._discarded += (path,)
            elif not is_gone(error):
                self._unread += (unread(path, error),)

    def holds_anything(self) -> bool:
        """Return whether the tree contains a file that may be a status, or a directory that cannot be read."""
        walked = walk(self._disk, self._root)
        return bool(walked.files or walked.refused)

    def known(self) -> StoredStatuses:
        """Return the statuses of the last `load`, with later writes. The disk is not read."""
        for path in sorted(self._changed):
            if (data := self._bytes.get(path)) is not None:
                self._parsed[path] = _ParsedStatus(None, data, _parse(path, data, self._parse_text))
            else:
                self._parsed.pop(path, None)
        self._discarded = tuple(path for path in self._discarded if path not in self._changed)
        self._changed.clear()
        return self._collected()

    def _collected(self) -> StoredStatuses:
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
                jobs[status.name] = max(other, status, key=_freshness) if other else status
        return StoredStatuses(
            jobs=tuple(jobs.values()),
            providers=tuple(providers),
            discarded=self._discarded,
            unread=self._unread,
            too_new=tuple(sorted(self._too_new)),
            too_new_jobs=frozenset(each for each in self._too_new.values() if each is not None),
        )

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those on the disk. Return whether it was written.

        If the spec was moved, the file of this name in another folder is removed after the new one is written. A file
        from a later version is not overwritten. Raises `OSError` if the file cannot be written.
        """
        path = _path(status)
        if path in self._too_new:
            return False
        replaced = {each: self._bytes[each] for each in {*self._paths[status.name], path} if each in self._bytes}
        is_changed = self._write_file(path, _text_of(status).encode(), durable=durable)
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
        """Remove a file, if it was discarded. Raises `OSError` if it cannot be removed."""
        if path in self._discarded:
            self._remove_file(path)

    def restore(self, status: JobStatus) -> None:
        """Restore the files that the last write of this status replaced."""
        written, replaced = _path(status), self._replaced.pop(status.name, {})
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
        """Remove a provider's status, because its account is observed again or no job depends on it."""
        path = f"{PROVIDERS}{name}.yaml"
        if not self._is_unread(path):
            self._remove_file(path)

    def _is_unknown(self, path: str) -> bool:
        """Return whether `path` may hold a file that could not be read and that this process did not write."""
        return self._is_unread(path) and path not in self._written

    def _is_unread(self, path: str) -> bool:
        """Return whether `path`, or a directory above it, could not be read at the last `load`."""
        return any(path == each.path or (each.is_directory and path.startswith(each.path)) for each in self._unread)

    def _read(self, path: str, stamp: StatusStamp, known: _ParsedStatus | None) -> _ParsedStatus:
        """Return the contents of a file. Unchanged bytes are not parsed twice."""
        data = as_written(self._disk.read(self._root / path))
        if self._written.get(path) not in {None, data}:
            del self._written[path]
        self._bytes[path] = data
        if known is not None and known.data == data:
            return known if known.stamp == stamp else replace(known, stamp=stamp)
        return _ParsedStatus(stamp, data, _parse(path, data, self._parse_text))

    def _write_file(self, path: str, data: bytes, *, durable: bool) -> bool:
        if self._bytes.get(path) == data:
            return False
        target = self._root / path
        if self._is_unknown(path):
            raise OSError(errno.EAGAIN, "it could not be read, and an unread file is not overwritten", str(target))
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

    def _is_there(self) -> bool:
        try:
            self._disk.list(self._root)
        except FileNotFoundError:
            return False
        except OSError:
            return True
        return True

    def _remove_file(self, path: str) -> None:
        self._disk.remove(self._root / path)
        self._bytes.pop(path, None)
        self._written.pop(path, None)
        self._changed.add(path)

    def _remove_temporary(self) -> None:
        while self._temporary:
            with suppress(OSError):
                self._disk.remove(self._root / self._temporary.pop())


def _text_of(status: JobStatus) -> str:
    """Return the text of a status, with known secrets redacted in texts of providers and authors."""
    text = render_status(status)
    if not KNOWN_SECRETS.is_in(text):
        return text
    # The account and id are identifiers: redacting them would separate the status from its job.
    job = status.job and replace(without_secrets(status.job), account=status.job.account, id=status.job.id)
    texts = without_secrets((status.conditions, status.receipts))
    return render_status(replace(status, job=job, conditions=texts[0], receipts=texts[1]))


def _path(status: JobStatus) -> str:
    return status_path(status.source, status.name)


def _parse(path: str, data: bytes, parse: Parse) -> _Status:
    if not is_status_file(data):
        return None
    read = parse_provider_status if path.startswith(PROVIDERS) else parse_status
    return read(data.decode(), parse)


def _freshness(status: JobStatus) -> tuple[object, ...]:
    """Return a sort key for two statuses of one name, which a crash during a move can leave in two folders."""
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at or each.last_attempt_at for each in status.receipts]
    return max(moments), status.observed_generation
