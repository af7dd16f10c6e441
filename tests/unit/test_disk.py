"""Which files `LocalDisk` reads, and which it refuses because a path leads out of its root."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.local.disk import LocalDisk


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a root with one directory, beside a file that is outside of it."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_bytes(b"secret")
    (tmp_path / "root" / "team").mkdir(parents=True)
    (tmp_path / "root" / "team" / "spec").write_bytes(b"spec")
    return tmp_path / "root"


@pytest.mark.parametrize("is_listed", [True, False])
def test_a_file_in_the_root_is_read(root: Path, *, is_listed: bool) -> None:
    disk = LocalDisk(root)
    if is_listed:
        disk.list(root / "team")

    assert disk.read(root / "team" / "spec") == b"spec"


def test_a_file_below_a_directory_link_to_outside_the_root_is_not_read(root: Path) -> None:
    (root / "link").symlink_to("../outside")

    with pytest.raises(PermissionError):
        LocalDisk(root).read(root / "link" / "secret")


def test_a_path_that_leaves_the_root_by_two_dots_is_not_read(root: Path) -> None:
    with pytest.raises(PermissionError):
        LocalDisk(root).read(root / ".." / "outside" / "secret")


def test_a_file_below_a_directory_link_within_the_root_is_read(root: Path) -> None:
    (root / "link").symlink_to("team")

    assert LocalDisk(root).read(root / "link" / "spec") == b"spec"


def test_a_disk_that_ignores_links_does_not_read_files_below_a_linked_directory(root: Path) -> None:
    (root / "link").symlink_to("team")

    with pytest.raises(OSError, match="link"):
        LocalDisk(root, follows_links=False).read(root / "link" / "spec")


def test_a_listed_directory_that_becomes_a_link_to_outside_the_root_is_not_read(root: Path) -> None:
    disk = LocalDisk(root)
    disk.list(root / "team")
    (root / "team").rename(root / "before")
    (root / "team").symlink_to("../outside")

    with pytest.raises(PermissionError):
        disk.list(root / "team")

    with pytest.raises(PermissionError):
        disk.read(root / "team" / "secret")


def test_a_root_that_is_a_link_is_resolved_again_when_it_leads_to_another_directory(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name / "team").mkdir(parents=True)
    root = tmp_path / "root"
    root.symlink_to("first")
    disk = LocalDisk(root)
    before = disk.resolved(root / "team")
    root.unlink()
    root.symlink_to("second")

    assert [before, disk.resolved(root / "team")] == [tmp_path / "first" / "team", tmp_path / "second" / "team"]


def test_a_root_that_was_moved_and_replaced_is_resolved_again(tmp_path: Path) -> None:
    (tmp_path / "first").mkdir()
    root = tmp_path / "root"
    root.symlink_to("first")
    disk = LocalDisk(root)
    disk.write_beside(root / "a", b"1")
    (tmp_path / "first").rename(tmp_path / "moved")
    (tmp_path / "first").mkdir()
    root.unlink()
    root.symlink_to("moved")

    assert disk.write_beside(root / "b", b"2").parent == root
    assert len(list((tmp_path / "moved").iterdir())) == 2
    assert not list((tmp_path / "first").iterdir())


def test_a_root_that_is_a_loop_of_links_is_not_listed(tmp_path: Path) -> None:
    (tmp_path / "root").symlink_to("root")

    with pytest.raises(OSError, match="Too many levels"):
        LocalDisk(tmp_path / "root").list(tmp_path / "root")


def test_a_file_is_replaced_in_one_step_and_its_directory_is_created(tmp_path: Path) -> None:
    disk, file = LocalDisk(tmp_path), tmp_path / "team" / "a.yaml"
    disk.replace(file, b"old")
    before = file.stat().st_ino
    disk.replace(file, b"new")

    assert file.read_bytes() == b"new"
    assert file.stat().st_ino != before, "the bytes of the old file were not changed"
    assert [each.name for each in file.parent.iterdir()] == ["a.yaml"]


def test_a_file_that_cannot_be_replaced_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "a.yaml" / "b").mkdir(parents=True)

    with pytest.raises(OSError, match=r"a\.yaml'"):
        LocalDisk(tmp_path).replace(tmp_path / "a.yaml", b"new")

    assert [each.name for each in tmp_path.iterdir()] == ["a.yaml"]


def test_a_link_is_replaced_and_a_directory_that_leads_out_is_not_written_to(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (root / "a.yaml").symlink_to("../outside/secret")
    (root / "team").symlink_to("../outside")
    disk = LocalDisk(root)
    disk.replace(root / "a.yaml", b"new")

    assert ((root / "a.yaml").is_symlink(), (root / "a.yaml").read_bytes()) == (False, b"new")
    with pytest.raises(PermissionError):
        disk.replace(root / "team" / "secret", b"new")
    assert {each.name: each.read_bytes() for each in outside.iterdir()} == {"secret": b"secret"}
