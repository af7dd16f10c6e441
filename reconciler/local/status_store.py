"""The status tree: one file a job, in the same folders as the spec that it speaks of.

Rules: a status whose bytes are there already is not written; a file is replaced in one step, and never half; what is in
the tree and not ours is left alone; a file that counts as none is overwritten only by a status that belongs there, and
one of a later version never is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from reconciler.formats.status_parser import (
    StatusTooNew,
    StatusUnreadable,
    is_ours,
    parse_provider_status,
    parse_status,
)
from reconciler.formats.status_writer import render_provider_status, render_status
from reconciler.formats.yaml_text import Parse, parse
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import Disk, StoredStatuses

PROVIDERS = "_providers"

_Status = JobStatus | ProviderStatus | None  # None: somebody else's file
_Stamp = tuple[int, ...] | None


@dataclass(frozen=True, slots=True)
class _Parsed:
    """What one file held, and its stamp just before it was read."""

    stamp: _Stamp
    data: bytes
    status: _Status


class StatusesDir:
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
        self._bytes, self._changed = {}, set()
        discarded: list[str] = []
        too_new: dict[str, tuple[str, str] | None] = {}
        for path, stamp in self._walk(discarded):
            known = parsed.get(path)
            try:
                if by_content or known is None or stamp is None or known.stamp != stamp:
                    known = self._read(path, stamp, known)
            except StatusTooNew as error:
                too_new[path] = error.job
            except (StatusUnreadable, UnicodeDecodeError, OSError):
                discarded.append(path)
            else:
                self._parsed[path], self._bytes[path] = known, known.data
        self._discarded, self._too_new = tuple(discarded), too_new
        return self._told()

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
        is_news = self._put(path, render_status(status).encode(), durable=durable)
        self._replaced[status.name] = stood
        for other in self._paths[status.name] - {path}:
            self._drop(other)
        self._paths[status.name] = {path}
        return is_news

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        for path in self._paths.pop(status.name, set()):
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
        path = f"{PROVIDERS}/{status.name}.yaml"
        if path in self._too_new:
            return False
        return self._put(path, render_provider_status(status).encode(), durable=False)

    def remove_provider(self, name: str) -> None:
        """Remove it: the account can be seen again, or nobody looks at it any more."""
        self._drop(f"{PROVIDERS}/{name}.yaml")

    def _read(self, path: str, stamp: _Stamp, known: _Parsed | None) -> _Parsed:
        """Return what is in a file; bytes that have not changed are not parsed twice."""
        data = self._disk.read(self._root / path)
        self._bytes[path] = data
        if known is not None and known.data == data:
            return known if known.stamp == stamp else replace(known, stamp=stamp)
        return _Parsed(stamp, data, _parse(path, data, self._parse_text))

    def _put(self, path: str, data: bytes, *, durable: bool) -> bool:
        if self._bytes.get(path) == data:
            return False
        target = self._root / path
        fresh = target.with_name(f".{target.name}.tmp")
        self._disk.write(fresh, data)
        if durable:
            self._disk.sync(fresh)
        self._disk.rename(fresh, target)
        self._bytes[path] = data
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
        except OSError:
            return False
        return True

    def _drop(self, path: str) -> None:
        self._disk.remove(self._root / path)
        self._bytes.pop(path, None)
        self._changed.add(path)

    def _walk(self, unread: list[str]) -> list[tuple[str, _Stamp]]:
        """Return the files that may be statuses, sorted; directories that cannot be read go to `unread`."""
        files: list[tuple[str, _Stamp]] = []
        directories = [""]
        while directories:
            directory = directories.pop()
            try:
                entries = self._disk.list(self._root / directory)
            except FileNotFoundError:
                continue
            except OSError:
                unread.append(directory or ".")
                continue
            visible = [entry for entry in entries if not entry.name.startswith(".")]
            directories += [f"{directory}{entry.name}/" for entry in visible if entry.is_dir]
            ours = [entry for entry in visible if entry.is_file and entry.name.endswith(".yaml")]
            files += [(f"{directory}{entry.name}", entry.stamp) for entry in ours]
        return sorted(files, key=lambda found: found[0])


def _path(status: JobStatus) -> str:
    return str(PurePosixPath(status.source).parent / f"{status.name}.yaml")


def _parse(path: str, data: bytes, parse: Parse) -> _Status:
    if not is_ours(data):
        return None
    read = parse_provider_status if path.startswith(f"{PROVIDERS}/") else parse_status
    return read(data.decode(), parse)


def _freshness(status: JobStatus) -> tuple[object, ...]:
    """Order statuses of one name, which a crash while a spec moved can leave in two folders."""
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at or each.last_attempt_at for each in status.receipts]
    return max(moments), status.observed_generation
