"""The statuses on the disk, as they are compared with a branch."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.formats.status_writer import render_status
from reconciler.git.status_files import StatusFiles
from reconciler.local.clock import SystemClock
from tests.support.build import a_status

STATUS = render_status(a_status("chat")).encode()
OTHER = render_status(a_status("code")).encode()


@pytest.fixture
def files(tmp_path: Path) -> StatusFiles:
    """Return files that are read an hour after they were written, so that their stamps can be relied on."""
    return StatusFiles(tmp_path, lambda: SystemClock().now() + timedelta(hours=1))


def test_each_change_of_a_file_is_read(files: StatusFiles) -> None:
    files.write("team/chat.yaml", STATUS)
    files.write("code.yaml", OTHER)
    assert files.read() == ({"team/chat.yaml": STATUS, "code.yaml": OTHER}, {})

    files.write("team/chat.yaml", OTHER)
    assert files.read() == ({"team/chat.yaml": OTHER, "code.yaml": OTHER}, {})

    files.remove("team/chat.yaml")
    (files.directory / "code.yaml").write_bytes(b"a: 1")
    assert files.read() == ({}, {})


def test_an_unchanged_file_is_not_read_again(files: StatusFiles) -> None:
    files.write("chat.yaml", STATUS)
    (found, _), (again, _) = files.read(), files.read()

    assert again["chat.yaml"] is found["chat.yaml"]


def test_a_file_that_was_just_written_is_read_again_because_its_stamp_may_not_change(tmp_path: Path) -> None:
    files = StatusFiles(tmp_path)
    files.write("chat.yaml", STATUS)
    (found, _), (again, _) = files.read(), files.read()

    assert again == found
    assert again["chat.yaml"] is not found["chat.yaml"]


def test_only_the_named_files_are_read(files: StatusFiles) -> None:
    files.write("team/chat.yaml", STATUS)
    files.write("code.yaml", OTHER)

    assert files.read_some(["team/chat.yaml", "missing.yaml", "code.yaml/below.yaml"]) == {"team/chat.yaml": STATUS}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_cannot_be_read_is_not_overwritten(files: StatusFiles) -> None:
    files.write("chat.yaml", STATUS)
    (files.directory / "chat.yaml").chmod(0)

    with pytest.raises(PermissionError, match="is not overwritten"):
        files.read_some(["chat.yaml"])
    assert files.current({"chat.yaml": OTHER}) == {"chat.yaml": OTHER}
