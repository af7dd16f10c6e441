"""The specs directory while it changes: a snapshot shows a state in which the directory was."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.specs_search import SEARCHES_MAX
from reconciler.ports import Entry, Snapshot
from tests.support.cli import PROVIDER, SPEC

Change = Callable[[], object]
SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {name: settings}\nspec: {interval: 5m}\n"


class ChangingDisk(LocalDisk):
    """A disk on which another process makes the changes of a test, each before a list or a read of a path."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.before: dict[str, list[Change]] = {}
        """The changes before each list or read of a path, in order."""
        self.lists = 0
        """How often the root was listed."""
        self.reads: list[str] = []

    def list(self, path: Path) -> list[Entry]:
        """List a directory, after the next change."""
        self.lists += path == self._root
        self._change(path)
        return super().list(path)

    def read(self, path: Path) -> bytes:
        """Read a file, after the next change."""
        self._change(path)
        self.reads.append(path.name)
        return super().read(path)

    def _change(self, path: Path) -> None:
        changes = self.before.get(path.relative_to(self._root).as_posix())
        if changes:
            changes.pop(0)()


@pytest.fixture(name="disk")
def _disk(tmp_path: Path) -> ChangingDisk:
    return ChangingDisk(tmp_path)


@pytest.fixture(name="specs")
def _specs(tmp_path: Path, disk: ChangingDisk) -> SpecsDir:
    """Return a source with two specs, of which one is in a folder."""
    (tmp_path / "team").mkdir()
    write(tmp_path / "chat.yaml")
    write(tmp_path / "team/code.yaml")
    return SpecsDir(tmp_path, tmp_path / "status", disk, "specs")


def write(path: Path) -> None:
    text = SPEC.format(name=path.stem, provider="openai", job_id=f"ftjob-{path.stem}", state="observed")
    path.write_text(text, encoding="utf-8")


def names(snapshot: Snapshot) -> list[str]:
    return [each.document.metadata.name for each in snapshot.jobs]


def test_a_spec_that_is_deleted_before_it_is_read_halts_nothing(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    disk.before["chat.yaml"] = [(tmp_path / "chat.yaml").unlink]
    snapshot = specs.snapshot()

    assert names(snapshot) == ["code"]
    assert (snapshot.is_settings_broken, snapshot.broken_files, snapshot.diagnostics) == (False, frozenset(), ())
    assert disk.lists == 2
    assert disk.reads.count("code.yaml") == 1, "an unchanged file is read once"


def test_a_folder_that_is_deleted_before_it_is_listed_halts_nothing(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    def delete() -> None:
        (tmp_path / "team/code.yaml").unlink()
        (tmp_path / "team").rmdir()

    disk.before["team"] = [delete]
    snapshot = specs.snapshot()

    assert names(snapshot) == ["chat"]
    assert (snapshot.is_settings_broken, snapshot.broken_files) == (False, frozenset())


@pytest.mark.parametrize("is_known", [True, False], ids=["as at the last snapshot", "at the first snapshot"])
def test_a_folder_that_is_renamed_before_it_is_listed_keeps_its_specs(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path, *, is_known: bool
) -> None:
    if is_known:
        specs.snapshot()
    disk.before["team"] = [lambda: (tmp_path / "team").rename(tmp_path / "a-team")]

    assert names(specs.snapshot()) == ["code", "chat"]


def test_a_spec_that_is_moved_to_a_folder_that_was_listed_already_is_not_deleted(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    specs.snapshot()
    disk.before["team"] = [lambda: (tmp_path / "team/code.yaml").rename(tmp_path / "code.yaml")]

    assert names(specs.snapshot()) == ["chat", "code"]


def test_a_spec_that_is_removed_and_created_again_is_not_deleted(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    specs.snapshot()
    disk.before["."] = [(tmp_path / "chat.yaml").unlink, lambda: write(tmp_path / "chat.yaml")]

    assert names(specs.snapshot()) == ["chat", "code"]


def test_the_settings_of_a_volume_whose_links_are_swapped_are_read(disk: ChangingDisk, tmp_path: Path) -> None:
    """As Kubernetes does: the link `..data` is replaced by a link to a new directory, and the old one is removed."""

    def fill(version: str) -> None:
        (tmp_path / version).mkdir()
        for name, text in (("settings", SETTINGS), ("main", PROVIDER.format(name="main", concurrency=4, more=""))):
            (tmp_path / version / f"{name}.yaml").write_text(text, encoding="utf-8")
        (tmp_path / "..new").symlink_to(version)
        (tmp_path / "..new").rename(tmp_path / "..data")

    def remove(version: str) -> None:
        for path in (tmp_path / version).iterdir():
            path.unlink()
        (tmp_path / version).rmdir()

    fill("..1")
    for name in ("settings.yaml", "main.yaml"):
        (tmp_path / name).symlink_to(f"..data/{name}")
    source = SpecsDir(tmp_path, tmp_path / "status", disk, "specs")
    disk.before = {".": [lambda: remove("..1"), lambda: fill("..2")]}
    snapshot = source.snapshot()

    assert [len(each) for each in (snapshot.settings, snapshot.providers)] == [1, 1]
    assert (snapshot.is_settings_broken, snapshot.broken_files) == (False, frozenset())


def test_a_spec_that_is_a_folder_when_it_is_read_is_searched_again(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    def replace() -> None:
        (tmp_path / "chat.yaml").unlink()
        (tmp_path / "chat.yaml").mkdir()
        write(tmp_path / "chat.yaml/talk.yaml")

    disk.before["chat.yaml"] = [replace]

    assert names(specs.snapshot()) == ["talk", "code"]


def test_a_file_that_is_gone_at_each_read_is_reported_as_unreadable(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    def gone() -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    disk.before["chat.yaml"] = [gone for _ in range(2 * SEARCHES_MAX)]
    first, at_first = specs.snapshot(), disk.lists
    again = specs.snapshot()

    assert first.broken_files == again.broken_files == {"chat.yaml"}
    assert first.is_settings_broken
    assert "specs/chat.yaml: the file cannot be read: No such file or directory" in map(str, first.diagnostics)
    assert at_first == SEARCHES_MAX
    assert disk.lists == at_first + 1, "a file that was gone at the last snapshot causes no further search"
    assert (tmp_path / "chat.yaml").exists()


def test_a_spec_that_the_last_search_is_the_first_not_to_find_is_unreadable_and_not_deleted(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    talk = tmp_path / "talk.yaml"
    write(talk)
    specs.snapshot()

    def move_away() -> None:
        write(talk)
        (tmp_path / "chat.yaml").unlink()

    disk.before["talk.yaml"] = [talk.unlink, talk.unlink]
    disk.before["."] = [talk.exists, lambda: write(talk), move_away]
    during, after = specs.snapshot(), specs.snapshot()

    assert (names(during), during.broken_files) == (["talk", "code"], frozenset({"chat.yaml"}))
    assert (names(after), after.broken_files) == (["talk", "code"], frozenset())


def test_a_deleted_spec_is_searched_for_once_more_and_never_again(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    specs.snapshot()
    (tmp_path / "chat.yaml").unlink()
    before = disk.lists
    counts = []
    for _ in range(2):
        assert names(specs.snapshot()) == ["code"]
        counts.append(disk.lists - before)

    assert counts == [2, 3]


def test_a_link_that_leads_nowhere_is_searched_for_once_more_and_never_again(
    specs: SpecsDir, disk: ChangingDisk, tmp_path: Path
) -> None:
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    counts = []
    for _ in range(2):
        assert specs.snapshot().broken_files == {"gone.yaml"}
        counts.append(disk.lists)

    assert counts == [2, 3]
