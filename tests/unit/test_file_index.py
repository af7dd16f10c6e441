"""The index of files: when a row is valid. Each test gets the module as an argument, so that mutants are tested too."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pytest

from reconciler.local import file_index
from reconciler.local.disk import LocalDisk
from tests.scenario.bugs import Bug

NOW = datetime(2026, 11, 23, 14, 15, tzinfo=UTC)
TICK = timedelta(milliseconds=20)
STAMP = (1_000_000_000_123_456_789, 1_000_000_000_123_456_789, 100, 7, 1)
"""The times, the size, the inode and the device of a file that was changed long ago."""
CHANGED = {
    "its time of modification": (2_000_000_000_123_456_789, *STAMP[1:]),
    "its time of change": (STAMP[0], 2_000_000_000_123_456_789, *STAMP[2:]),
    "its size": (*STAMP[:2], 101, *STAMP[3:]),
    "its inode": (*STAMP[:3], 8, STAMP[4]),
    "its device": (*STAMP[:4], 2),
}


@pytest.fixture(name="module")
def _module() -> ModuleType:
    return file_index


def nanoseconds(moment: datetime) -> int:
    return (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000


@dataclass(frozen=True, slots=True)
class Shelf:
    """A directory with an index, used through one version of the module."""

    directory: Path
    module: ModuleType
    reader: str = "reader 1"

    @property
    def file(self) -> Path:
        """The path of the index."""
        return self.directory / "files.index"

    def open(self, *, is_kept: bool = True, is_brief: bool = True) -> file_index.FileIndex:
        """Open the index as a command does."""
        disk = LocalDisk(self.directory)
        opened: file_index.FileIndex = self.module.FileIndex(
            self.file, disk, self.reader, lambda: NOW, is_kept=is_kept, is_brief=is_brief
        )
        return opened

    def keep(self, path: str = "a.yaml", stamp: tuple[int, ...] = STAMP, row: str = "row") -> None:
        """Save a row as one command does."""
        index = self.open()
        index.keep(path, stamp, row, NOW)
        index.save()

    def row(self, path: str = "a.yaml", stamp: tuple[int, ...] | None = STAMP) -> str | None:
        """Return the row that the next command finds."""
        return self.open().row(path, stamp)


@pytest.fixture(name="shelf")
def _shelf(tmp_path: Path, module: ModuleType) -> Shelf:
    tmp_path.chmod(0o700)
    return Shelf(tmp_path, module)


def test_a_row_is_found_by_path_and_stamp(shelf: Shelf) -> None:
    shelf.keep("team ä/a.yaml", row='["text\\n"]')

    assert shelf.row("team ä/a.yaml") == '["text\\n"]'
    assert shelf.row("another.yaml") is None


@pytest.mark.parametrize("what", CHANGED)
def test_a_file_is_read_again_if_a_part_of_its_stamp_changed(shelf: Shelf, what: str) -> None:
    shelf.keep()

    assert shelf.row(stamp=CHANGED[what]) is None


def test_a_file_whose_stamp_is_unknown_is_read(shelf: Shelf) -> None:
    shelf.keep()

    assert shelf.row(stamp=None) is None


def test_a_file_changed_in_the_clock_tick_of_its_read_is_read_again(shelf: Shelf) -> None:
    at = nanoseconds(NOW - TICK / 2) + 1
    shelf.keep("modified.yaml", (at, *STAMP[1:]))
    shelf.keep("changed.yaml", (STAMP[0], at, *STAMP[2:]))

    assert shelf.row("modified.yaml", (at, *STAMP[1:])) is None
    assert shelf.row("changed.yaml", (STAMP[0], at, *STAMP[2:])) is None


def test_a_file_with_whole_second_timestamps_is_read_again_for_two_seconds(shelf: Shelf) -> None:
    a_second_ago, long_ago = nanoseconds(NOW - timedelta(seconds=1)), nanoseconds(NOW - timedelta(seconds=3))
    for at in (a_second_ago, long_ago):
        shelf.keep(stamp=(at, at, *STAMP[2:]))

        assert shelf.row(stamp=(at, at, *STAMP[2:])) == ("row" if at == long_ago else None)


def test_a_git_blob_is_found_by_its_name_alone(shelf: Shelf) -> None:
    shelf.keep(stamp=(2**160 - 1,))

    assert shelf.row(stamp=(2**160 - 1,)) == "row"


def test_an_index_of_another_user_is_ignored(shelf: Shelf) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    shelf.keep()
    os.chown(shelf.file, 65534, -1)

    assert shelf.row() is None


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_an_index_that_others_can_write_is_ignored(shelf: Shelf, mode: int) -> None:
    shelf.keep()
    shelf.file.chmod(mode)

    assert shelf.row() is None


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_an_index_that_others_can_replace_is_ignored(shelf: Shelf, mode: int) -> None:
    shelf.keep()
    shelf.directory.chmod(mode)

    assert shelf.row() is None


def test_an_index_that_is_a_link_is_ignored(shelf: Shelf) -> None:
    shelf.keep()
    shelf.file.rename(shelf.directory / "elsewhere")
    shelf.file.symlink_to(shelf.directory / "elsewhere")

    assert shelf.row() is None


def _tear(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _cut_rows(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: -len("row\n") - 64])


def _alter(file: Path) -> None:
    file.write_bytes(file.read_bytes().replace(b"row", b"raw"))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _be_a_directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("harm", [_tear, _cut_rows, _alter, _empty, _be_a_directory])
def test_a_damaged_index_is_ignored(shelf: Shelf, harm: Callable[[Path], None]) -> None:
    shelf.keep()
    harm(shelf.file)

    assert shelf.row() is None


def test_an_index_of_another_reader_is_ignored(shelf: Shelf) -> None:
    Shelf(shelf.directory, file_index, "reader 0").keep()

    assert shelf.row() is None


def test_an_intact_index_of_another_format_is_ignored(shelf: Shelf) -> None:
    body = f"reconcile index 0 reader 1\na.yaml\t{' '.join(map(str, STAMP))}\trow\n".encode()
    shelf.file.write_bytes(body + hashlib.sha256(body).hexdigest().encode())

    assert shelf.row() is None


def test_unused_rows_are_dropped(shelf: Shelf) -> None:
    shelf.keep("gone.yaml")
    index = shelf.open()
    index.keep("a.yaml", STAMP, "row", NOW)
    index.save()

    assert (shelf.row("gone.yaml"), shelf.row("a.yaml")) == (None, "row")


def test_a_row_is_dropped_if_its_file_can_no_longer_be_indexed(shelf: Shelf) -> None:
    shelf.keep()
    index = shelf.open()
    index.row("a.yaml", STAMP)
    index.keep("a.yaml", STAMP, None, NOW)
    index.save()

    assert shelf.row() is None


def test_an_unchanged_index_is_not_written(shelf: Shelf) -> None:
    shelf.keep()
    before = shelf.file.stat().st_mtime_ns
    index = shelf.open()
    index.row("a.yaml", STAMP)
    index.keep("a.yaml", STAMP, "row", NOW)
    index.save()

    assert shelf.file.stat().st_mtime_ns == before


def test_rows_of_an_index_that_another_process_replaced_are_not_kept(shelf: Shelf) -> None:
    shelf.keep()
    index = shelf.open()
    index.row("a.yaml", STAMP)
    shelf.keep(row="another row")
    index.keep("b.yaml", STAMP, "row", NOW)
    index.save()

    assert index.may_hold_secret() is False
    assert (shelf.row("a.yaml"), shelf.row("b.yaml")) == (None, "row")


def test_an_index_is_saved_again_with_the_rows_that_it_had(shelf: Shelf) -> None:
    index = shelf.open()
    for path in ("a.yaml", "b.yaml"):
        index.keep(path, STAMP, f"row of {path}", NOW)
        index.save()

    assert (shelf.row("a.yaml"), shelf.row("b.yaml")) == ("row of a.yaml", "row of b.yaml")


def test_an_index_that_another_process_replaced_may_hold_a_secret(shelf: Shelf) -> None:
    shelf.keep()
    index = shelf.open()
    shelf.keep(row="another row")

    assert index.may_hold_secret()


def test_a_read_only_command_writes_no_index_and_uses_each_row_once(shelf: Shelf) -> None:
    shelf.keep()
    before = shelf.file.read_bytes()
    index = shelf.open(is_kept=False)
    first, second = index.row("a.yaml", STAMP), index.row("a.yaml", STAMP)
    index.keep("b.yaml", STAMP, "row", NOW)
    index.save()

    assert (first, second) == ("row", None)
    assert shelf.file.read_bytes() == before


def test_a_watch_reads_its_files_again(shelf: Shelf) -> None:
    assert shelf.open().vouches_for(STAMP, NOW)
    assert not shelf.open(is_brief=False).vouches_for(STAMP, NOW)
    assert not shelf.open().vouches_for(None, NOW)
    assert not shelf.open().vouches_for((nanoseconds(NOW), *STAMP[1:]), NOW)


def test_an_index_that_cannot_be_written_is_not_an_error(shelf: Shelf) -> None:
    (shelf.directory / "state").write_text("a file in its place", encoding="utf-8")
    Shelf(shelf.directory / "state", shelf.module).keep()

    assert (shelf.directory / "state").is_file()


@dataclass(frozen=True, slots=True)
class Mutant:
    """A mistake in the index, and the test that it fails."""

    bug: Bug
    test: Callable[..., None]
    of: tuple[object, ...] = ()


def _bug(name: str, old: str, new: str) -> Bug:
    return Bug(name, "local/file_index.py", old, new)


MUTANTS = (
    Mutant(
        _bug("believe a stale row", " or known_stamp != _stamp_text(stamp):", ":"),
        test_a_file_is_read_again_if_a_part_of_its_stamp_changed,
        ("its size",),
    ),
    *(
        Mutant(
            _bug(
                f"do not compare {what}",
                '" ".join(map(str, stamp))',
                f'" ".join(map(str, stamp[:{at}] + stamp[{at + 1}:]))',
            ),
            test_a_file_is_read_again_if_a_part_of_its_stamp_changed,
            (what,),
        )
        for at, what in enumerate(CHANGED)
    ),
    Mutant(
        _bug("believe a racy stamp", "    return changed_at + tick > ", "    return changed_at > tick + "),
        test_a_file_changed_in_the_clock_tick_of_its_read_is_read_again,
    ),
    Mutant(
        _bug("compare only the time of modification", "max(stamp[:2])", "stamp[0]"),
        test_a_file_changed_in_the_clock_tick_of_its_read_is_read_again,
    ),
    Mutant(
        _bug("take every clock for a fine one", "_FINE if changed_at % _SECOND else _COARSE", "_FINE"),
        test_a_file_with_whole_second_timestamps_is_read_again_for_two_seconds,
    ),
    Mutant(
        _bug("believe a foreign file", " and facts.st_uid == os.geteuid()", ""),
        test_an_index_of_another_user_is_ignored,
    ),
    Mutant(
        _bug("believe a file that others can write", " and not _is_open(facts)", ""),
        test_an_index_that_others_can_write_is_ignored,
        (0o602,),
    ),
    Mutant(
        _bug("believe a file in a directory that others can write", " or _is_open(above)", ""),
        test_an_index_that_others_can_replace_is_ignored,
        (0o707,),
    ),
    Mutant(_bug("follow a link", " | os.O_NOFOLLOW", ""), test_an_index_that_is_a_link_is_ignored),
    Mutant(
        _bug("believe a torn file", "seal == _seal(body) and ", ""),
        test_a_damaged_index_is_ignored,
        (_alter,),
    ),
    Mutant(
        _bug("believe another reader", " and body[: len(head)] == head", ""),
        test_an_index_of_another_reader_is_ignored,
    ),
    Mutant(
        _bug("use the rows of another process", "return text if seal == self._seal else None", "return text"),
        test_rows_of_an_index_that_another_process_replaced_are_not_kept,
    ),
    Mutant(
        _bug("forget the rows that were saved", 'before = dict(_entries(self._read_again() or ""))', "before = {}"),
        test_an_index_is_saved_again_with_the_rows_that_it_had,
    ),
    Mutant(
        _bug(
            "keep the row of a file that has none",
            " | self._kept\n",
            " | {path: entry for path, entry in self._kept.items() if entry}\n",
        ),
        test_a_row_is_dropped_if_its_file_can_no_longer_be_indexed,
    ),
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.bug.name)
def test_each_index_mutant_fails_its_test(tmp_path: Path, mutant: Mutant) -> None:
    tmp_path.chmod(0o700)
    source = mutant.bug.planted(Path(file_index.__file__).read_text(encoding="utf-8"))
    mutated = ModuleType("mutated_index")
    exec(compile(source, mutant.bug.name, "exec"), mutated.__dict__)  # noqa: S102  our own text, with one change

    with pytest.raises(AssertionError):
        mutant.test(Shelf(tmp_path, mutated), *mutant.of)
