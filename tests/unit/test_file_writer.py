"""How files are written safely, on a real disk."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reconciler.local.file_writer import append_text, create_file, is_temporary, replace_file, write_beside
from tests.support.unprivileged import out_of_reach

HOUR_AND_A_BIT_NS = 3601 * 10**9


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_a_file_is_created_and_replaced_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    replace_file(path, b"one")
    path.chmod(0o640)
    replace_file(path, b"two", is_durable=True)

    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert names(tmp_path) == ["plan.json"]


def test_a_reader_with_the_old_file_open_still_reads_the_old_contents(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    replace_file(path, b"old")
    with path.open("rb") as reader:
        replace_file(path, b"new and longer")

        assert reader.read() == b"old"


def test_a_symbolic_link_to_a_file_is_not_written_through(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "plan.json"
    precious.write_text("keep")
    path.symlink_to(precious)
    with pytest.raises(OSError, match=r"this is a link.*: '.*/plan.json'"):
        replace_file(path, b"lost")
    with pytest.raises(OSError, match=r"this is a link.*: '.*/plan.json'"):
        append_text(path, "lost")
    with pytest.raises(FileExistsError):
        create_file(path, b"lost")

    assert precious.read_text() == "keep"
    assert path.is_symlink()


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(OSError, match="this is a link"):
        replace_file(path, b"lost")
    assert names(tmp_path) == ["plan.json"]


def test_a_hard_link_is_replaced_and_not_written_through(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "plan.json"
    precious.write_text("keep")
    path.hardlink_to(precious)
    replace_file(path, b"new")

    assert (precious.read_text(), path.read_text()) == ("keep", "new")


def test_temporary_names_are_unique_and_do_not_contain_the_name_of_the_target(tmp_path: Path) -> None:
    written = {write_beside(tmp_path / "plan.json", b"").name for _ in range(100)}

    assert len(written) == 100
    assert all(is_temporary(name) and "plan" not in name for name in written)


def test_a_write_error_names_the_target_and_not_the_temporary_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as missing:
        replace_file(tmp_path / "missing" / "plan.json", b"")
    (tmp_path / "directory").mkdir()
    with pytest.raises(IsADirectoryError) as directory:
        replace_file(tmp_path / "directory", b"")

    assert missing.value.filename == str(tmp_path / "missing" / "plan.json")
    assert directory.value.filename == str(tmp_path / "directory")
    assert names(tmp_path) == ["directory"]


def test_the_error_for_a_read_only_directory_names_the_target_file(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write to each directory")
    with out_of_reach(tmp_path), pytest.raises(PermissionError) as refused:
        replace_file(tmp_path / "plan.json", b"")

    assert refused.value.filename == str(tmp_path / "plan.json")


def test_a_device_and_a_named_pipe_are_written_to_directly(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    replace_file(pipe, b"through the pipe")
    replace_file(Path("/dev/null"), b"gone")

    assert os.read(reader, 100) == b"through the pipe"
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_a_log_may_be_a_link_to_dev_null_but_not_through_proc(tmp_path: Path) -> None:
    (tmp_path / "log").symlink_to("/dev/null")
    (tmp_path / "way").symlink_to(f"/proc/self/root{tmp_path}/precious")
    append_text(tmp_path / "log", "gone")

    with pytest.raises(OSError, match="this is a link"):
        append_text(tmp_path / "way", "lost")
    assert names(tmp_path) == ["log", "way"]


def test_a_temporary_file_of_a_killed_process_is_deleted_after_an_hour(tmp_path: Path) -> None:
    left, fresh = (write_beside(tmp_path / "plan.json", b"half") for _ in range(2))
    then = fresh.stat().st_mtime_ns - HOUR_AND_A_BIT_NS
    os.utime(left, ns=(then, then))
    replace_file(tmp_path / "plan.json", b"whole")

    assert names(tmp_path) == sorted([fresh.name, "plan.json"])
