from __future__ import annotations

import fcntl
import os
import signal
import socket
import stat
import sys
from asyncio import create_subprocess_exec, run
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from reconciler.local.lock import LockHeld, hold
from reconciler.local.state_dir import StateDirRefused, default_state_dir, prepare_state_dir
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


def test_a_held_lock_says_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    with (
        hold(path, command="reconcile", since=NOW),
        pytest.raises(LockHeld) as caught,
        hold(path, command="reconcile --once", since=NOW),
    ):
        pass

    holder = f"process {os.getpid()} on {socket.gethostname()}, since 2026-11-23T14:03:20Z (reconcile)"
    assert f"is held by {holder}" in str(caught.value)


def test_a_lock_can_be_held_again_once_it_is_let_go(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with hold(path, command="a command with a rather long line", since=NOW):
        pass
    with hold(path, command="b", since=NOW):
        text = path.read_text()

    assert '"command": "b"' in text
    assert "rather long" not in text
    assert path.exists()


def test_a_lock_dies_with_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "lock"

    async def hold_elsewhere_and_be_killed() -> str:
        process = await create_subprocess_exec(sys.executable, "-c", HOLD_UNTIL_KILLED, str(path), stdout=PIPE)
        assert process.stdout is not None
        assert await process.stdout.readline() == b"held\n"
        with pytest.raises(LockHeld) as caught, hold(path, command="reconcile", since=NOW):
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
def test_a_holder_that_has_not_said_who_it_is_holds_all_the_same(tmp_path: Path, text: str) -> None:
    path = tmp_path / "lock"
    path.write_text(text)
    with path.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)

        with pytest.raises(LockHeld, match="is held by another process"), hold(path, command="x", since=NOW):
            pass


# --- the directory that the lock is in -----------------------------------------------------------------------


def test_each_specs_directory_has_a_state_directory_of_its_own(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    one, two = (default_state_dir(tmp_path / name, environ) for name in ("one", "two"))

    assert one != two
    assert one == default_state_dir(tmp_path / "two" / ".." / "one", environ)
    assert one.is_relative_to(tmp_path)
    assert default_state_dir(tmp_path, {}).is_absolute()


def test_a_state_directory_is_this_users_alone(tmp_path: Path) -> None:
    state = prepare_state_dir(tmp_path / "cache" / "state", tmp_path / "specs")

    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("inside", [".", "state", "deep/../state", "link"])
def test_a_state_directory_inside_the_specs_is_refused_in_words(tmp_path: Path, inside: str) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "link").symlink_to(specs / "elsewhere")

    with pytest.raises(StateDirRefused, match=r"is inside the specs directory .*: name another with --state-dir"):
        prepare_state_dir(specs / inside, specs)
    assert not (specs / "state").exists()


def test_a_file_is_no_state_directory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(StateDirRefused, match="is not a directory"):
        prepare_state_dir(tmp_path / "state", tmp_path / "specs")
