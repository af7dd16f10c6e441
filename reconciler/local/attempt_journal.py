"""The guard's records in the state directory: first attempts, and which statuses existed after the last pass.

Rules: an attempt is on the disk before its request is sent. Each file is replaced in one step. Attempts that cannot be
read are an error, because the guard would otherwise allow more changes than its limits. Other users cannot write to the
directory; `state_dir` checks that.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from json.encoder import encode_basestring_ascii as _json_text
from pathlib import Path
from typing import Any

from reconciler.model.journal import KnownStatuses, LostStatus, Requested
from reconciler.model.money import Basis, RecordedAmount
from reconciler.model.spec import parse_instant, render_instant
from reconciler.model.status import Verb
from reconciler.ports import Disk

REQUESTS = "requests.journal"
STATUSES = "statuses.known"
_FORMAT = "reconcile 1"
_encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
_decode = json.JSONDecoder().raw_decode


class _UnreadableError(OSError):
    """A file is damaged, or another version of reconcile wrote it."""


class StateJournal:
    """The `Journal` in a state directory.

    Args:
        directory: the state directory.
        disk: the disk that contains it.
        tree: the path of the status directory. A record of the statuses in another directory is ignored.
        now: returns the current time.
    """

    def __init__(self, directory: Path, disk: Disk, tree: str, now: Callable[[], datetime]) -> None:
        self._directory = directory
        self._disk = disk
        self._tree = tree
        self._now = now
        self._since: datetime | None = None
        self._requested: tuple[Requested, ...] | None = None
        self._known: KnownStatuses | None = None
        self._is_stale = False
        """Whether the file still contains attempts that `forget` removed."""

    def since(self) -> datetime:
        """Return when the journal was started, or the current time if it has not been written yet.

        Attempts before this time are not in the journal. Raises `OSError` if the journal cannot be read.
        """
        self.requested()
        return self._since or self._now().replace(microsecond=0)

    def requested(self) -> tuple[Requested, ...]:
        """Return every recorded first attempt that has not been removed.

        Raises `OSError` if the file cannot be read or is invalid.
        """
        if self._requested is None:
            lines = self._read(REQUESTS)
            self._since = self._parsed(REQUESTS, lambda row: parse_instant(row["since"]), lines[0]) if lines else None
            self._requested = tuple(self._parsed(REQUESTS, _requested, each) for each in lines[1:])
        return self._requested

    def record(self, requested: Iterable[Requested], still: Iterable[Requested]) -> None:
        """Record the new attempts `requested` durably, and keep only those earlier attempts that are in `still`.

        Raises `OSError` if the file cannot be read or written.
        """
        kept = (*still, *requested)
        self._write_requests(kept)

    def forget(self, requested: Iterable[Requested]) -> None:
        """Remove attempts whose requests were not sent. The next `record` or `keep` removes them from the file.

        Raises `OSError` if the journal has not been read yet and cannot be read.
        """
        gone = set(requested)
        if gone:
            self._requested = tuple(each for each in self.requested() if each not in gone)
            self._is_stale = True

    def known(self) -> KnownStatuses:
        """Return which statuses existed after the last pass, or none if that is unknown.

        It is unknown if the file is missing or invalid, or is about another status directory. Raises `OSError` if the
        file exists but cannot be read.
        """
        if self._known is None:
            try:
                self._known = self._read_known()
            except _UnreadableError:
                self._known = KnownStatuses()
        return self._known

    def _read_known(self) -> KnownStatuses:
        rows = self._read(STATUSES)
        if not rows or rows[0] != {"tree": self._tree}:
            return KnownStatuses()
        known: KnownStatuses = self._parsed(STATUSES, _known, rows)
        return known

    def keep(self, known: KnownStatuses) -> None:
        """Record which statuses exist after this pass. Raises `OSError` if a file cannot be read or written."""
        if self._is_stale or self._since is None:
            self._write_requests(self.requested())
        if known != self._known:
            self._write(STATUSES, [_encode({"tree": self._tree}), *_known_lines(known)], is_durable=False)
            self._known = known

    def _write_requests(self, requested: tuple[Requested, ...]) -> None:
        since = self.since()
        rows = [{"since": render_instant(since)}, *map(_row, requested)]
        self._write(REQUESTS, map(_encode, rows), is_durable=True)
        self._since, self._requested, self._is_stale = since, requested, False

    def _read(self, name: str) -> list[Any]:
        """Return the rows of a file, or none if it is missing. Raises `OSError` if it is unreadable or invalid."""
        try:
            text = self._disk.read(self._directory / name).decode()
        except FileNotFoundError:
            return []
        except UnicodeDecodeError:
            raise self._broken(name) from None
        head, *lines = text.splitlines() or [""]
        if head != _FORMAT:
            raise self._broken(name)
        rows: list[Any] = self._parsed(name, _values, lines)
        return rows

    def _parsed(self, name: str, parse: Callable[[Any], Any], value: Any) -> Any:
        try:
            return parse(value)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            raise self._broken(name) from None

    def _broken(self, name: str) -> _UnreadableError:
        why = (
            "it is damaged, or another version of reconcile wrote it; remove it once no change has been requested for "
            "an hour, or for a day if a commit approved a change"
        )
        return _UnreadableError(errno.EINVAL, why, str(self._directory / name))

    def _write(self, name: str, lines: Iterable[str], *, is_durable: bool) -> None:
        target = self._directory / name
        fresh = self._disk.write_beside(target, "".join(f"{each}\n" for each in (_FORMAT, *lines)).encode())
        if is_durable:
            self._disk.sync(fresh)
        self._disk.rename(fresh, target)
        if is_durable:
            self._disk.sync_dir(self._directory)


def _values(lines: Sequence[str]) -> list[Any]:
    """Return the value of each line. Raises `ValueError` if a line is anything else than one value."""
    found = [_decode(each) for each in lines]
    if any(end != len(line) for (_, end), line in zip(found, lines, strict=True)):
        msg = "a line contains more than a value"
        raise ValueError(msg)
    return [value for value, _ in found]


def _row(each: Requested) -> dict[str, Any]:
    cost = each.sunk_cost
    return {
        "name": each.name,
        "account": each.account,
        "job": each.job_id,
        "verb": each.verb,
        "at": render_instant(each.at),
        "receipt": render_instant(each.receipt_at),
        "by": each.approved_by,
        **({} if cost is None else {"sunkCost": [cost.amount, cost.currency, cost.basis]}),
    }


def _requested(row: Any) -> Requested:
    return Requested(
        name=str(row["name"]),
        account=str(row["account"]),
        job_id=str(row["job"]),
        verb=Verb(row["verb"]),
        at=parse_instant(row["at"]),
        receipt_at=parse_instant(row["receipt"]),
        approved_by=None if row["by"] is None else str(row["by"]),
        sunk_cost=_amount(*row["sunkCost"]) if "sunkCost" in row else None,
    )


def _amount(amount: Any, currency: Any, basis: Any) -> RecordedAmount:
    return RecordedAmount(str(amount), str(currency), Basis(basis))


def _known_lines(known: KnownStatuses) -> Iterator[str]:
    """Yield the lines of the file `STATUSES`. The first item of each line says what the line records."""
    # A line for each status is written in each pass that changes one, and `_encode` takes five times as long for it.
    for name, mark in sorted(known.marks.items()):
        yield f'["known",{_json_text(name)},{_json_text(mark)}]'
    for name, (account, job_id) in sorted(known.unfinished.items()):
        yield f'["unfinished",{_json_text(name)},{_json_text(account)},{_json_text(job_id)}]'
    for name, lost in sorted(known.lost.items()):
        yield _encode(["lost", name, render_instant(lost.at), lost.mark])


def _known(rows: Any) -> KnownStatuses:
    marks: dict[str, str] = {}
    unfinished: dict[str, tuple[str, str]] = {}
    lost: dict[str, LostStatus] = {}
    for what, name, *rest in rows[1:]:
        if what == "known":
            (marks[name],) = rest
        elif what == "unfinished":
            account, job_id = rest
            unfinished[name] = (account, job_id)
        else:
            at, mark = rest
            lost[name] = LostStatus(parse_instant(at), mark)
    return KnownStatuses(marks=marks, unfinished=unfinished, lost=lost)
