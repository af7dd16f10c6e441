"""Files that lines are appended to, on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.local.append_file import AppendFile
from reconciler.telemetry.log import LogFile


def test_a_moved_or_deleted_file_is_created_again_with_the_next_line(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    file = AppendFile(path)
    file.append(b"one\n", is_durable=True)
    path.rename(tmp_path / "audit.1")
    file.append(b"two\n", is_durable=True)
    path.unlink()
    file.append(b"three\n", is_durable=True)
    file.close()

    assert (tmp_path / "audit.1").read_bytes() == b"one\n"
    assert path.read_bytes() == b"three\n"


def test_reopening_creates_a_moved_file_immediately(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    file = AppendFile(path)
    path.rename(tmp_path / "audit.1")
    file.reopen()
    file.close()

    assert path.exists()


def test_a_full_disk_raises_an_error_and_the_next_line_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    path.symlink_to("/dev/full")
    file = AppendFile(path)
    with pytest.raises(OSError, match="No space left on device"):
        file.append(b"one\n", is_durable=True)
    path.unlink()
    file.append(b"two\n", is_durable=True)
    file.close()

    assert path.read_bytes() == b"two\n"


def test_a_full_named_pipe_raises_an_error_instead_of_blocking(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    file = AppendFile(path)
    for _ in range(16):
        file.append(b"x" * 4095 + b"\n", is_durable=True)
    with pytest.raises(BlockingIOError):
        file.append(b"one more\n", is_durable=True)
    file.close()
    os.close(reader)


def test_a_named_pipe_without_a_reader_raises_an_error_when_it_is_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "audit")

    with pytest.raises(OSError, match="No such device or address"):
        AppendFile(tmp_path / "audit")


@pytest.mark.parametrize(("lost", "told"), [(("one\n",), "1 line"), (("one\n", "two\n"), "2 lines")])
def test_the_log_reports_how_many_lines_a_full_disk_lost(tmp_path: Path, lost: tuple[str, ...], told: str) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    with LogFile(path) as file:
        for line in lost:
            file.write(line)
        path.unlink()
        file.write("three\n")

    assert path.read_text(encoding="utf-8").splitlines() == [
        f'{{"level": "warning", "message": "{told} before this one could not be written"}}',
        "three",
    ]
