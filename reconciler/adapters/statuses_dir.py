"""The status tree: one file a job, in the same folders as the spec that it speaks of.

Rules: a status whose bytes are there already is not written; a file is replaced in one step, and never half; what is in
the tree and not ours is left alone; a file that counts as none is overwritten only by a status that belongs there, and
one of a later version never is.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path, PurePosixPath

from reconciler.adapters.status_reading import StatusTooNew, StatusUnreadable, parse_provider_status, parse_status
from reconciler.adapters.status_text import render_provider_status, render_status
from reconciler.model.status import JobStatus, ProviderStatus
from reconciler.ports import Disk, StoredStatuses

PROVIDERS = "_providers"

_Status = JobStatus | ProviderStatus | None  # None: somebody else's file


class StatusesDir:
    """The `StatusStore` of a directory. What it knows of the files there is what the last `load` saw."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._bytes: dict[str, bytes] = {}
        self._parsed: dict[str, tuple[bytes, _Status]] = {}
        self._paths: defaultdict[str, set[str]] = defaultdict(set)
        self._too_new: frozenset[str] = frozenset()
        self._was_there: bool | None = None

    def load(self) -> StoredStatuses:
        """Read the whole tree. Never raises for what stands there."""
        if self._was_there is None:
            self._was_there = self._is_there()
        parsed, self._parsed = self._parsed, {}
        self._bytes, self._paths = {}, defaultdict(set)
        jobs: dict[str, JobStatus] = {}
        providers: list[ProviderStatus] = []
        discarded: list[str] = []
        too_new: list[str] = []
        for path in self._walk(discarded):
            try:
                status = self._read(path, parsed.get(path))
            except StatusTooNew:
                too_new.append(path)
            except (StatusUnreadable, UnicodeDecodeError, OSError):
                discarded.append(path)
            else:
                if isinstance(status, ProviderStatus):
                    providers.append(status)
                elif status is not None:
                    self._paths[status.name].add(path)
                    jobs[status.name] = max(jobs.get(status.name, status), status, key=_freshness)
        self._too_new = frozenset(too_new)
        return StoredStatuses(
            jobs=tuple(jobs.values()), providers=tuple(providers), discarded=tuple(discarded), too_new=tuple(too_new)
        )

    def write(self, status: JobStatus, *, durable: bool) -> bool:
        """Write a status if its bytes differ from those that are there. Returns whether it did. Raises OSError.

        A file of this name in another folder, where the spec was before, goes once the new one is there.
        """
        path = str(PurePosixPath(status.source).parent / f"{status.name}.yaml")
        if path in self._too_new:
            return False
        is_news = self._put(path, render_status(status).encode(), durable=durable)
        for other in self._paths[status.name] - {path}:
            self._drop(other)
        self._paths[status.name] = {path}
        return is_news

    def remove(self, status: JobStatus) -> None:
        """Remove a status file that was loaded."""
        for path in self._paths.pop(status.name, set()):
            self._drop(path)

    def restore(self, status: JobStatus, last: JobStatus | None) -> None:
        """Put the last status back in the place of one that was written; none at all where there was none."""
        if last is None:
            self.remove(status)
        else:
            self.write(last, durable=True)

    def write_provider(self, status: ProviderStatus) -> bool:
        """Write what is wrong with an account, if that is news. Returns whether it was. Raises OSError."""
        path = f"{PROVIDERS}/{status.name}.yaml"
        if path in self._too_new:
            return False
        return self._put(path, render_provider_status(status).encode(), durable=False)

    def remove_provider(self, name: str) -> None:
        """Remove it: the account can be seen again."""
        self._drop(f"{PROVIDERS}/{name}.yaml")

    def _read(self, path: str, before: tuple[bytes, _Status] | None) -> _Status:
        """Return the status in a file; bytes that have not changed are not parsed twice."""
        data = self._disk.read(self._root / path)
        self._bytes[path] = data
        if before is None or before[0] != data:
            before = data, _parse(path, data)
        self._parsed[path] = before
        return before[1]

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

    def _walk(self, unread: list[str]) -> list[str]:
        """Return the files that may be statuses, sorted; directories that cannot be read go to `unread`."""
        files: list[str] = []
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
            files += [f"{directory}{entry.name}" for entry in visible if entry.is_file and entry.name.endswith(".yaml")]
        return sorted(files)


def _parse(path: str, data: bytes) -> _Status:
    if _is_foreign(data):
        return None
    parse = parse_provider_status if path.startswith(f"{PROVIDERS}/") else parse_status
    return parse(data.decode())


def _is_foreign(data: bytes) -> bool:
    """Return whether somebody else's file stands there. An empty one is ours: a disk that was cut off leaves such."""
    return bool(data.strip()) and b"jobs.reconciler/" not in data


def _freshness(status: JobStatus) -> tuple[object, ...]:
    """Order statuses of one name, which a crash while a spec moved can leave in two folders."""
    moments = [each.last_transition_time for each in status.conditions]
    moments += [each.confirmed_at or each.last_attempt_at for each in status.receipts]
    return max(moments), status.observed_generation
