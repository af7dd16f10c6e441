"""The outbox of notifications in the state directory, and the record of what was told.

Sinks that are disabled are recorded too, each with a mark of its URL, so that another URL enables it again. The mark is
a digest with a random salt, from which the URL cannot be read.

Rules: each file is replaced in one step and is on the disk before a method returns. `OUTBOX` is written before `TOLD`.
If the machine fails in between, the marks in `OUTBOX` complete `TOLD` when both are opened. A damaged file is set
aside, because jobs must be cancelled even if no notification can be sent. Only the holder of the lock uses these files.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from reconciler.model.notification import (
    Mark,
    News,
    Notification,
    Told,
    Waiting,
    told_after,
)
from reconciler.ports import Disk

T = TypeVar("T")
OUTBOX = "notifications.outbox"
TOLD = "notifications.told"
DISABLED = "notifications.disabled"
_FORMAT = "reconcile 1"
_ENCODER = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A notification, the marks that it sets, and for each sink that waits for it, whether an attempt was begun."""

    serial: int
    notification: Notification
    marks: Mapping[str, Mark]
    to: Mapping[str, bool]


_ENTRY = TypeAdapter(_Entry)
_FIELDS = tuple(each.name for each in fields(Notification))


@dataclass(frozen=True, slots=True)
class _Disabled:
    """When a sink was disabled, and the mark of its URL with the salt of the mark."""

    at: datetime
    salt: str
    mark: str | None


@dataclass(frozen=True, slots=True)
class _Content:
    entries: tuple[_Entry, ...] = ()
    told: Told = field(default_factory=dict)
    serial: int = 0
    """The serial number of the newest entry so far."""


class StateOutbox:
    """The `Outbox` in a state directory. If a file is damaged, the constructor adds a message to `notices`.

    The constructor raises `OSError` if a file cannot be read or written.

    Args:
        directory: the state directory.
        disk: the disk that contains the directory.
        sinks: the URL of each sink by its name, or an empty text. What waits for another sink is dropped.
    """

    def __init__(self, directory: Path, disk: Disk, sinks: Mapping[str, str]) -> None:
        self._directory = directory
        self._disk = disk
        self.notices: tuple[str, ...] = ()
        told = self._read(TOLD, _recorded)
        self.is_new = told is None
        """Whether nothing has been recorded in this directory yet."""
        until, recorded = told or (0, {})
        entries = self._read(OUTBOX, lambda rows: tuple(map(_entry, rows))) or ()
        self._sinks = sinks
        disabled = self._read(DISABLED, _disabled) or {}
        self._disabled = {
            sink: each for sink, each in disabled.items() if each.mark == _mark(sinks.get(sink), each.salt)
        }
        self._content = _restored(entries, recorded, until, sinks.keys() - self._disabled.keys())
        self._is_told_outdated = False
        if self._content.serial > until:
            # Written before anything is delivered, because a delivery removes the entry, and with it the marks.
            self._write_told()

    @property
    def told(self) -> Told:
        """What has been told, by subject."""
        return self._content.told

    def start(self, told: Told) -> None:
        """Record what is not told, because it was known before notifications were configured."""
        self._content = replace(self._content, told=told)
        self._write_told()
        self.is_new = False

    def add(self, items: Iterable[tuple[News, Collection[str]]]) -> None:
        """Record news, each item with the names of the sinks that receive it, and remember that it was told."""
        content = self._content
        marks, entries, serial = [], list(content.entries), content.serial
        for news, sinks in items:
            serial += 1
            marks.append(news.marks)
            if sinks:
                entries.append(_Entry(serial, news.notification, news.marks, dict.fromkeys(sinks, False)))
        self._write(tuple(entries))
        told = told_after(content.told, marks)
        # Set before the record is written, so that this process does not tell the news again if the write fails.
        self._content = replace(self._content, told=told, serial=serial)
        if told != content.told:
            self._is_told_outdated = True
            self._write_told()

    def waiting(self, sink: str) -> Sequence[Waiting]:
        """Return what waits for a sink, oldest first. Nothing waits for a disabled sink, even if a write failed."""
        if sink in self._disabled:
            return []
        return [Waiting(each.notification, each.to[sink]) for each in self._content.entries if sink in each.to]

    def begin(self, sink: str, message: Notification) -> None:
        """Record that an attempt begins, after which it is unknown whether the sink received the notification."""
        self._set(sink, {message.id}, is_attempted=True)

    def fail(self, sink: str, message: Notification) -> None:
        """Record that the sink certainly did not receive the notification."""
        self._set(sink, {message.id}, is_attempted=False)

    def finish(self, sink: str, message: Notification) -> None:
        """Record that the sink received the notification, or will never receive it."""
        self._set(sink, {message.id}, is_attempted=None)

    def disabled_since(self, sink: str) -> datetime | None:
        """Return when a sink was disabled, or None if it is in use."""
        return self._disabled[sink].at if sink in self._disabled else None

    def disable(self, sink: str, at: datetime) -> None:
        """Record that a sink is disabled from now on, and drop the notifications that wait for it."""
        salt = secrets.token_hex(16)
        disabled = {**self._disabled, sink: _Disabled(at, salt, _mark(self._sinks[sink], salt))}
        rows = ([name, each.at.isoformat(), each.salt, each.mark] for name, each in disabled.items())
        self._replace(DISABLED, rows)
        waiting = {each.notification.id for each in self.waiting(sink)}
        self._disabled = disabled
        self._set(sink, waiting, is_attempted=None)

    def merge(self, sink: str, messages: Collection[Notification], by: Notification) -> None:
        """Let one notification wait for a sink instead of several. It takes the position of the newest of them."""
        ids = {each.id for each in messages}
        entries = list(_without(self._content.entries, sink, ids))
        last = max(at for at, each in enumerate(self._content.entries) if each.notification.id in ids)
        serial = self._content.entries[last].serial
        entries.insert(last + 1, _Entry(serial, by, {}, {sink: False}))
        self._write(tuple(each for each in entries if each.to))

    def _set(self, sink: str, ids: Collection[str], *, is_attempted: bool | None) -> None:
        """Record the attempt at one sink, or, with None, that the notifications no longer wait for this sink."""
        if is_attempted is None:
            entries = _without(self._content.entries, sink, ids)
        else:
            entries = (
                replace(each, to={**each.to, sink: is_attempted})
                if each.notification.id in ids and sink in each.to
                else each
                for each in self._content.entries
            )
        self._write(tuple(each for each in entries if each.to))

    def _write(self, entries: tuple[_Entry, ...]) -> None:
        if self._is_told_outdated:
            # An earlier write failed. Until the record is complete, no entry is removed, because its marks complete it.
            self._write_told()
        if entries != self._content.entries:
            self._replace(OUTBOX, map(_row, entries))
            self._content = replace(self._content, entries=entries)

    def _write_told(self) -> None:
        content = self._content
        self._replace(TOLD, [content.serial, *([subject, *mark] for subject, mark in content.told.items())])
        self._is_told_outdated = False

    def _replace(self, name: str, rows: Iterable[object]) -> None:
        target = self._directory / name
        text = "".join(f"{each}\n" for each in (_FORMAT, *map(_ENCODER.encode, rows)))
        fresh = self._disk.write_beside(target, text.encode())
        self._disk.sync(fresh)
        self._disk.rename(fresh, target)
        self._disk.sync_dir(self._directory)

    def _read(self, name: str, parse: Callable[[list[Any]], T]) -> T | None:
        """Return the parsed rows of a file, or None if it is missing or damaged. A damaged file is set aside."""
        path = self._directory / name
        try:
            head, *lines = self._disk.read(path).decode().splitlines() or [""]
            if head == _FORMAT:
                return parse([json.loads(each) for each in lines])
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass  # the file is renamed below, whatever it contains
        self._disk.rename(path, path.with_name(f"{name}.damaged"))
        self.notices += (f"{path} is damaged, so it was renamed: some notifications may be lost",)
        return None


def _recorded(rows: list[Any]) -> tuple[int, Told]:
    """Return the serial number of the newest entry that the record of what was told contains, and the record."""
    serial, *marks = rows
    return int(serial), {str(subject): tuple(map(str, mark)) for subject, *mark in marks}


def _disabled(rows: list[Any]) -> dict[str, _Disabled]:
    found = {str(sink): _Disabled(datetime.fromisoformat(at), str(salt), str(mark)) for sink, at, salt, mark in rows}
    if any(each.at.tzinfo is None for each in found.values()):
        msg = "a time without a zone"
        raise ValueError(msg)
    return found


def _mark(url: str | None, salt: str) -> str | None:
    """Return the mark of a URL; None for a sink that does not exist."""
    if url is None:
        return None
    return hashlib.sha256(f"{salt} {url}".encode()).hexdigest()


def _restored(entries: Sequence[_Entry], recorded: Told, until: int, sinks: Collection[str]) -> _Content:
    """Return the content of the two files. What waits for no sink of this process is dropped.

    The marks of entries after the serial number `until` are not in the record yet, because a crash came between
    the two writes.
    """
    kept = (replace(each, to={name: at for name, at in each.to.items() if name in sinks}) for each in entries)
    return _Content(
        tuple(each for each in kept if each.to),
        told_after(recorded, (each.marks for each in entries if each.serial > until)),
        max([until, *(each.serial for each in entries)]),
    )


def _without(entries: Iterable[_Entry], sink: str, ids: Collection[str]) -> Iterable[_Entry]:
    """Yield the entries. In those with these ids, nothing waits for this sink any more."""
    for each in entries:
        is_one = each.notification.id in ids
        yield replace(each, to={name: at for name, at in each.to.items() if name != sink}) if is_one else each


def _row(entry: _Entry) -> dict[str, Any]:
    message = entry.notification
    return {
        "serial": entry.serial,
        "to": entry.to,
        "marks": entry.marks,
        "id": message.id,
        "type": message.type,
        "at": message.at.isoformat(),
        "severity": message.severity,
        "text": message.text,
        "reason": message.reason,
        "jobs": message.jobs,
        "kind": message.kind,
        "account": message.account,
        "facts": message.facts,
        "problem": message.problem,
        "resolved": message.is_resolved,
        "counts": message.counts,
    }


def _entry(row: Any) -> _Entry:
    """Return the entry of a row. Raises `ValueError`, or another error that `_read` expects, if it is not valid."""
    message = {name: row["resolved" if name == "is_resolved" else name] for name in _FIELDS}
    entry = _ENTRY.validate_python({**{name: row[name] for name in ("serial", "marks", "to")}, "notification": message})
    if entry.notification.at.tzinfo is None:
        msg = "a time without a zone"
        raise ValueError(msg)
    return entry
