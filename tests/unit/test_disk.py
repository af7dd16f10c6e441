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
