"""The status tree: one file a job, in the same folders as the spec that it speaks of.

Rules: a status whose bytes are there already is not written; a file is replaced in one step, and never half; what is in
the tree and not ours is left alone; a file that counts as none is overwritten only by a status that belongs there, and
one of a later version never is. A file that could not be read this time is unknown, not none: it is overwritten only
with what follows from what this process wrote there itself.
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

_Status = JobStatus | ProviderStatus | None  # None: somebody else's file


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What one file held, and its stamp just before it was read."""

    stamp: StatusStamp
    data: bytes
    status: _Status


class StatusDirectory:
    """The `StatusStore` of a directory. What it knows of the files is what the last `load` saw, and what it wrote."""

    def __init__(self, root: Path, disk: Disk, parse: Parse = parse) -> None:
        self._root = root
        self._disk = disk
        self._parse_text = parse
        self._bytes: dict[str, bytes] = {}
        self._replaced: dict[str, dict[str, bytes]] = {}
        """By name, what the last `write` found there. A later `load` may find what that wrote."""
        self._parsed: dict[str, _Parsed] = {}
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._discarded: tuple[str, ...] = ()
        self._too_new: dict[str, tuple[str, str] | None] = {}
        self._unread: tuple[Unread, ...] = ()
        self._temporary: list[str] | None = None
        """What earlier processes left half-written, until the first write takes it away."""
        self._written: dict[str, bytes] = {}
        """What this process wrote, as far as nothing else was read there since."""
        self._changed: set[str] = set()
        """What we wrote or removed since it was last parsed."""
        self._was_there: bool | None = None

    def load(self, *, by_content: bool = True) -> StoredStatuses:
        """Read the whole tree. Never raises for what stands there.

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
                self._take(path, stamp, known)
            else:
                self._parsed[path], self._bytes[path] = known, known.data
        if self._temporary is None:
            self._temporary = walked.temporary
        return self._told()

    def _take(self, path: str, stamp: StatusStamp, known: _Parsed | None) -> None:
        """Read one file, and note what it is."""
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
        """Whether any file may be a status, those that cannot be read included."""
        walked = walk(self._disk, self._root)
        return bool(walked.files or walked.refused)

    def known(self) -> StoredStatuses:
        """Return what the last `load` saw, and what was written since. The disk is not asked."""
        for path in sorted(self._changed):
            if (data := self._bytes.get(path)) is not None:
                self._parsed[path] = _Parsed(None, data, _parse(path, data, self._parse_text))
            else:
                self._parsed.pop(path, None)
        self._discarded = tuple(path for path in self._discarded if path not in self._changed)
        self._changed.clear()
        return self._told()

    def _told(self) -> StoredStatuses:
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
        """Write a status if its bytes differ from those that are there. Returns whether it did. Raises OSError.

        A file of this name in another folder, where the spec was before, goes once the new one is there.
        """
        path = _path(status)
        if path in self._too_new:
            return False
        stood = {each: self._bytes[each] for each in {*self._paths[status.name], path} if each in self._bytes}
        is_news = self._put(path, _text_of(status).encode(), durable=durable)
        self._replaced[status.name] = stood
        for other in self._paths[status.name] - {path}:
            self._drop(other)
        self._paths[status.name] = {path}
        return is_news

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        for path in self._paths.pop(status.name, set()):
            self._drop(path)

    def discard(self, path: str) -> None:
        """Remove a file that counts as none."""
        if path in self._discarded:
            self._drop(path)

    def restore(self, status: JobStatus) -> None:
        """Put back what a status that was just written took the place of."""
        written, stood = _path(status), self._replaced.pop(status.name, {})
        for path, data in stood.items():
            self._put(path, data, durable=True)
        if written not in stood:
            self._drop(written)
        self._paths[status.name] = set(stood)

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write what is wrong with an account, if that is news. Returns whether it was. Raises OSError."""
        path = f"{PROVIDERS}{status.name}.yaml"
        if path in self._too_new or self._is_hidden(path):
            return False
        shown = replace(status, message=KNOWN_SECRETS.redact(status.message))
        return self._put(path, render_provider_status(shown).encode(), durable=False)

    def remove_provider(self, name: str) -> None:
        """Remove it: the account can be seen again, or nobody looks at it any more."""
        path = f"{PROVIDERS}{name}.yaml"
        if not self._is_hidden(path):
            self._drop(path)

    def _is_unknown(self, path: str) -> bool:
        """Whether something may stand there that could not be read, and that this process did not write itself."""
        return self._is_hidden(path) and path not in self._written

    def _is_hidden(self, path: str) -> bool:
        """Whether something may stand there that could not be read, so that whoever writes did not know of it."""
        return any(path == each.path or (each.is_directory and path.startswith(each.path)) for each in self._unread)

    def _read(self, path: str, stamp: StatusStamp, known: _Parsed | None) -> _Parsed:
        """Return what is in a file; bytes that have not changed are not parsed twice."""
        data = as_written(self._disk.read(self._root / path))
        if self._written.get(path) not in {None, data}:
            del self._written[path]
        self._bytes[path] = data
        if known is not None and known.data == data:
            return known if known.stamp == stamp else replace(known, stamp=stamp)
        return _Parsed(stamp, data, _parse(path, data, self._parse_text))

    def _put(self, path: str, data: bytes, *, durable: bool) -> bool:
        if self._bytes.get(path) == data:
            return False
        target = self._root / path
        if self._is_unknown(path):
            raise OSError(errno.EAGAIN, "it could not be read, and what is unknown is not overwritten", str(target))
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
            self._sync_way_to(target)
        return True

    def _sync_way_to(self, target: Path) -> None:
        """Make a file's entry durable, and those of the directories on its way, which may be as new as itself."""
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

    def _drop(self, path: str) -> None:
        self._disk.remove(self._root / path)
        self._bytes.pop(path, None)
        self._written.pop(path, None)
        self._changed.add(path)

    def _remove_temporary(self) -> None:
        while self._temporary:
            with suppress(OSError):
                self._disk.remove(self._root / self._temporary.pop())


def _text_of(status: JobStatus) -> str:
    """Return the text of a status, without any known secret in what a provider or an author wrote."""
    text = render_status(status)
    if not KNOWN_SECRETS.is_in(text):
        return text
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
    """Order statuses of one name, which a crash while a spec moved can leave in two folders."""
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at or each.last_attempt_at for each in status.receipts]
    return max(moments), status.observed_generation
