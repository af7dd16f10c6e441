from __future__ import annotations

import fcntl
import os
import signal
import socket
import sys
from asyncio import create_subprocess_exec, run
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from reconciler.local.lock import LockHeldError, hold
from tests.support.build import NOW

HOLD_UNTIL_KILLED = """
import sys, time
from datetime import UTC, datetime
from pathlib import Path
from reconciler.local.lock import hold
with hold(Path(sys.argv[1]), command="reconcile --once", since=datetime(2026, 11, 23, tzinfo=UTC)):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_error_of_a_held_lock_names_the_holding_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with (
        hold(path, command="reconcile", since=NOW),
        pytest.raises(LockHeldError) as caught,
        hold(path, command="reconcile --once", since=NOW),
    ):
        pass

    holder = f"process {os.getpid()} on {socket.gethostname()}, since 2026-11-23T14:03:20Z (reconcile)"
    assert f"is held by {holder}" in str(caught.value)


def test_a_released_lock_can_be_taken_again(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, command="a command with a rather long line", since=NOW):
        pass
    with hold(path, command="b", since=NOW):
        text = path.read_text()

    assert '"command": "b"' in text
    assert "rather long" not in text
    assert path.exists()


def test_a_lock_is_released_when_its_process_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    async def hold_elsewhere_and_be_killed() -> str:
        process = await create_subprocess_exec(sys.executable, "-c", HOLD_UNTIL_KILLED, str(path), stdout=PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        with pytest.raises(LockHeldError) as caught, hold(path, command="reconcile", since=NOW):
            pass
        process.send_signal(signal.SIGKILL)
        await process.wait()
        assert f"process {process.pid} on" in str(caught.value)
        return str(caught.value)

    said = run(hold_elsewhere_and_be_killed())
    with hold(path, command="reconcile", since=NOW):
        pass

    assert "(reconcile --once)" in said


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": 1}'])
def test_a_lock_is_held_even_if_its_file_does_not_name_the_holder(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        with pytest.raises(LockHeldError, match="is held by another process"), hold(path, command="x", since=NOW):
            pass
