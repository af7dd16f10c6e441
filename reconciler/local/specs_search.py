"""Search the specs directory and read its files, again if it changed during the search.

Theory: a search takes many steps, and the directory may change between them: Git and editors remove a file and create
it again, and Kubernetes replaces all files of a volume. A path is then listed and gone when it is read, or a file that
is moved is listed at neither of its places. Such a search describes no state of the directory.

Rules: the directory is searched again, up to `SEARCHES_MAX` times, if a listed path was gone when it was opened, or if
a spec file of the last snapshot is absent and the search before did not show that too. A path that still changes then
is reported as unreadable, so that its spec is not treated as deleted. Paths that were doubtful in the same way at the
last snapshot cause no further search.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from reconciler.local.specs_walk import Found, Lookalike, Skipped, is_replaced, walk
from reconciler.ports import Disk

C = TypeVar("C")

SEARCHES_MAX = 3
_MOVED = "the file cannot be read: it was removed or moved while the directory was searched"


@dataclass(frozen=True, slots=True)
class Searched(Generic[C]):
    """The result of a search."""

    found: list[Found]
    contents: dict[str, C]
    """What was read from each file, by its path, in the order of the paths."""
    lookalikes: list[Lookalike]
    skipped: list[Skipped]
    """The paths that were not read because of their names or types, or because their directory cannot be read."""
    unreadable: list[Skipped]
    """The files that were found and cannot be read."""
    gone: frozenset[str]
    """The paths that were listed and gone when they were opened."""
    absent: frozenset[str]
    """The spec files of the last snapshot that were not found, and the paths that are neither file nor directory."""

    def fresh(self) -> dict[Found, C]:
        """Return the contents of the files whose stamps show whether they change before the next search."""
        files = (each for each in self.found if each.stamp is not None and each.path in self.contents)
        return {each: self.contents[each.path] for each in files}


@dataclass(slots=True)
class SpecsSearch(Generic[C]):
    """The searches of one specs directory.

    Args:
        disk: the disk that contains the files.
        root: the specs directory.
        without: the result of `specs_walk.ignored_folders`.
    """

    disk: Disk
    root: Path
    without: frozenset[str]
    _doubtful: frozenset[str] = field(default=frozenset())
    """The paths that were gone or absent at the end of the last `run`."""

    def run(self, read: Callable[[Found], C], known: Collection[str]) -> Searched[C]:
        """Search the directory until the result describes one state of it, or `SEARCHES_MAX` times.

        Args:
            read: reads one file. It may raise `OSError`. A file with an unchanged stamp is read once.
            known: the paths of the spec files at the last snapshot.
        """
        fresh: dict[Found, C] = {}
        absent = self._doubtful
        for _ in range(SEARCHES_MAX):
            unconfirmed = absent
            searched = self._search(read, known, fresh)
            absent = searched.absent | self._doubtful
            if searched.gone <= self._doubtful and absent <= unconfirmed:
                break
            fresh = searched.fresh()
        else:
            moved = sorted(absent.difference(unconfirmed, (each.path for each in searched.skipped)))
            searched.unreadable.extend(Skipped(each, _MOVED, may_hold_anything=True) for each in moved)
        self._doubtful = searched.gone | searched.absent
        return searched

    def _search(self, read: Callable[[Found], C], known: Collection[str], fresh: Mapping[Found, C]) -> Searched[C]:
        """Search the directory once. `fresh` are the contents that the search before has read."""
        listed = list(walk(self.disk, self.root, self.without))
        found = sorted((each for each in listed if isinstance(each, Found)), key=lambda each: each.path)
        skipped = [each for each in listed if isinstance(each, Skipped)]
        contents, errors = _read_all(found, read, fresh)
        return Searched(
            found=found,
            contents=contents,
            lookalikes=[each for each in listed if isinstance(each, Lookalike)],
            skipped=skipped,
            unreadable=_unreadable(errors),
            gone=_gone(skipped, errors),
            absent=_absent(known, found, skipped),
        )


def _read_all(
    found: Iterable[Found], read: Callable[[Found], C], fresh: Mapping[Found, C]
) -> tuple[dict[str, C], dict[str, OSError]]:
    """Return the contents of each file, and the error of each file that cannot be read, by path."""
    contents, errors = dict[str, C](), dict[str, OSError]()
    for each in found:
        try:
            contents[each.path] = fresh[each] if fresh and each in fresh else read(each)
        except OSError as error:
            # With its traceback, the error would refer to this function's contents, and they to the error.
            errors[each.path] = error.with_traceback(None)
    return contents, errors


def _unreadable(errors: Mapping[str, OSError]) -> list[Skipped]:
    return [
        Skipped(path, f"the file cannot be read: {error.strerror or error}", may_hold_anything=True)
        for path, error in errors.items()
    ]


def _gone(skipped: Iterable[Skipped], errors: Mapping[str, OSError]) -> frozenset[str]:
    files = (path for path, error in errors.items() if is_replaced(error))
    return frozenset(each.path for each in skipped if each.is_replaced).union(files)


def _absent(known: Collection[str], found: Iterable[Found], skipped: Iterable[Skipped]) -> frozenset[str]:
    links = (each.path for each in skipped if each.is_neither)
    return frozenset(known).difference(each.path for each in found).union(links)
