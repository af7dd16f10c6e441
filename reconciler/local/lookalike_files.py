"""Warn of files that seem to be specs with wrong names. A file is read again only if its stamp has changed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from reconciler.formats.lookalikes import has_our_documents, is_reported_by_name, why_not_read
from reconciler.local.specs_walk import Lookalike, Skipped, Stamp
from reconciler.model.diagnostic import Severity
from reconciler.ports import Disk


class LookalikeFiles:
    """The files below `root` whose names resemble those of specs, as they were at the last call of `warnings`."""

    def __init__(self, root: Path, disk: Disk) -> None:
        self._root = root
        self._disk = disk
        self._known: dict[str, tuple[Stamp, bool]] = {}
        """The stamp of each file, and whether the file is reported."""

    def warnings(self, found: Iterable[Lookalike]) -> list[Skipped]:
        """Return a warning for each of these files that seems to be a spec with a wrong name."""
        before, self._known = self._known, {}
        for each in found:
            known = before.get(each.path)
            if known is None or each.stamp is None or known[0] != each.stamp:
                known = each.stamp, is_reported_by_name(each.path) or self._holds_documents(each.path)
            self._known[each.path] = known
        return [
            Skipped(path, why_not_read(path), Severity.WARNING) for path, (_, is_one) in self._known.items() if is_one
        ]

    def _holds_documents(self, file: str) -> bool:
        try:
            return has_our_documents(self._disk.read(self._root / file))
        except OSError:
            return False  # an unreadable file with another suffix is probably not a spec
