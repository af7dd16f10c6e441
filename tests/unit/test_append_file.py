"""A file that lines are appended to, on a real disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.local.append_file import AppendFile
from reconciler.telemetry.log import LogFile


def test_a_file_that_was_moved_or_deleted_is_made_anew_with_the_next_line(tmp_path: Path) -> None:
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


def test_a_file_is_there_at_once_when_it_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    file = AppendFile(path)
    path.rename(tmp_path / "audit.1")
    file.reopen()
    file.close()

    assert path.exists()


def test_a_full_disk_is_an_error_and_the_next_line_stands_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "audit"
    path.symlink_to("/dev/full")
    file = AppendFile(path)
    with pytest.raises(OSError, match="No space left on device"):
        file.append(b"one\n", is_durable=True)
    path.unlink()
    file.append(b"two\n", is_durable=True)
    file.close()

    assert path.read_bytes() == b"two\n"


def test_a_named_pipe_that_is_full_is_an_error_and_no_wait(tmp_path: Path) -> None:
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


def test_a_named_pipe_without_a_reader_is_an_error_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "audit")

    with pytest.raises(OSError, match="No such device or address"):
        AppendFile(tmp_path / "audit")


def test_a_log_says_how_many_lines_the_full_disk_has_cost(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.symlink_to("/dev/full")
    with LogFile(path) as file:
        for line in ("one\n", "two\n"):
            file.write(line)
        path.unlink()
        file.write("three\n")

    assert path.read_text(encoding="utf-8").splitlines() == [
        '{"level": "warning", "message": "2 lines before this one could not be written"}',
        "three",
    ]
