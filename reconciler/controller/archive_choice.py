"""Choose the spec files to archive: those of which every document is the spec of a job that ended long enough ago."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from reconciler.core.archiving import ended_at, why_kept
from reconciler.model.report import Report, Row
from reconciler.model.spec import render_duration
from reconciler.ports import Snapshot, status_path


@dataclass(frozen=True, slots=True)
class ArchivedFile:
    """A spec file of the archive, or one to archive. Its path and those of its statuses are relative to their roots."""

    file: str
    names: tuple[str, ...]
    """The names of the specs in the file."""

    @property
    def statuses(self) -> tuple[str, ...]:
        """The paths of the statuses of these specs."""
        return tuple(status_path(self.file, name) for name in self.names)


@dataclass(frozen=True, slots=True)
class ArchiveChoice:
    """The files to archive, and why each other spec is kept, by its name."""

    files: tuple[ArchivedFile, ...] = ()
    kept: Mapping[str, str] = field(default_factory=dict)


def choose(report: Report, snapshot: Snapshot, age: timedelta, now: datetime) -> ArchiveChoice:
    """Return the files to archive.

    Args:
        report: the rows of every spec.
        snapshot: every document.
        age: how long ago a job must have ended.
        now: the current time.
    """
    rows = defaultdict[str, list[Row]](list)
    for row in report.rows:
        rows[row.source].append(row)
    mixed = {each.file for each in (*snapshot.providers, *snapshot.settings)} | snapshot.broken_files
    files, kept = [], dict[str, str]()
    for file, specs in sorted(rows.items()):
        whys = {row.name: why for row in specs if (why := _why_kept(row, age, now)) is not None}
        if file in mixed or whys:
            shared = "another document in its file is kept"
            kept |= {row.name: whys.get(row.name, shared) for row in specs}
        else:
            files.append(ArchivedFile(file, tuple(row.name for row in specs)))
    return ArchiveChoice(tuple(files), kept)


def _why_kept(row: Row, age: timedelta, now: datetime) -> str | None:
    if row.status.source != row.source:
        return "its spec was moved after the last observation"
    why = why_kept(row.status, now)
    if why is None and now - ended_at(row.status) < age:
        return f"it ended less than {render_duration(age)} ago"
    return why


def in_archive(snapshot: Snapshot) -> tuple[ArchivedFile, ...]:
    """Return the files of the archive. `snapshot` contains its documents."""
    names = defaultdict[str, list[str]](list)
    for each in snapshot.jobs:
        names[each.file].append(each.document.metadata.name)
    for broken in snapshot.broken_jobs:
        names[broken.file].append(broken.name)
    return tuple(ArchivedFile(file, tuple(found)) for file, found in sorted(names.items()))
