"""The state directory is trusted only if no other user can have written to it."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from functools import partial
from pathlib import Path

import pytest

from reconciler.git.discovery import is_tracked
from reconciler.local.state_dir import StateDirRefusedError, StateDirUnsafeError, default_state_dir, prepare_state_dir
from tests.support.repositories import Clone

prepare = partial(prepare_state_dir, is_tracked=is_tracked)


def test_each_specs_directory_has_its_own_state_directory(tmp_path: Path) -> None:
    environ = {"XDG_CACHE_HOME": str(tmp_path)}
    one, two = (default_state_dir(tmp_path / name, environ) for name in ("one", "two"))

    assert one != two
    assert one == default_state_dir(tmp_path / "two" / ".." / "one", environ)
    assert one.is_relative_to(tmp_path)
    assert default_state_dir(tmp_path, {}).is_absolute()


def test_a_state_directory_is_created_with_mode_0700(tmp_path: Path) -> None:
    state = prepare(tmp_path / "cache" / "state", tmp_path / "specs")

    assert stat.S_IMODE(state.stat().st_mode) == 0o700


@pytest.mark.parametrize("inside", [".", "state", "deep/../state", "link"])
def test_a_state_directory_inside_the_specs_is_refused(tmp_path: Path, inside: str) -> None:
    specs = tmp_path / "specs"
    specs.mkdir()
    (specs / "link").symlink_to(specs / "elsewhere")

    with pytest.raises(
        StateDirRefusedError, match=r"is inside the specs directory .*: name another directory with --state-dir"
    ):
        prepare(specs / inside, specs)
    assert not (specs / "state").exists()


def test_a_file_is_refused_as_a_state_directory(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("")

    with pytest.raises(StateDirRefusedError, match="is not a directory"):
        prepare(tmp_path / "state", tmp_path / "specs")


def test_a_state_directory_that_other_users_can_write_to_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o777)

    with pytest.raises(StateDirUnsafeError, match=r"is writable by other users \(mode 0777\).*--state-dir"):
        prepare(state, tmp_path / "specs")


def test_a_state_directory_that_a_shared_group_can_write_to_is_refused(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    os.chown(state, -1, a_group_of_others())
    state.chmod(0o770)

    with pytest.raises(StateDirUnsafeError, match="is writable by other users"):
        prepare(state, tmp_path / "specs")


def test_the_write_permission_of_the_users_private_group_is_removed(tmp_path: Path) -> None:
    if set(grp.getgrgid(os.getegid()).gr_mem) - {pwd.getpwuid(os.geteuid()).pw_name}:
        pytest.skip("this user's own group has other members")
    state = tmp_path / "state"
    state.mkdir()
    (state / "revision").write_text("a")
    os.chown(state, -1, os.getegid())
    for path, mode in ((state, 0o2770), (state / "revision", 0o660)):
        path.chmod(mode)
    prepare(state, tmp_path / "specs")

    assert not (state.stat().st_mode | (state / "revision").stat().st_mode) & 0o022


@pytest.mark.parametrize("name", ["", "revision", "remote"])
def test_a_state_directory_or_file_owned_by_another_user_is_refused(tmp_path: Path, name: str) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    state = prepare(tmp_path / "state", tmp_path / "specs")
    (state / "revision").write_text("a")
    (state / "remote").mkdir()
    os.chown(state / name, 65534, -1)

    with pytest.raises(StateDirUnsafeError, match=r"belongs to user 65534, and this process to user 0.*--state-dir"):
        prepare(state, tmp_path / "specs")


@pytest.mark.parametrize("name", ["lock", "revision", "specs.index", "remote"])
def test_a_link_in_the_state_directory_is_refused(tmp_path: Path, name: str) -> None:
    state = prepare(tmp_path / "state", tmp_path / "specs")
    (state / name).symlink_to(tmp_path)

    with pytest.raises(StateDirUnsafeError, match=rf"state/{name} in the state directory is a link"):
        prepare(state, tmp_path / "specs")


def test_a_state_file_that_other_users_can_write_to_is_refused(tmp_path: Path) -> None:
    state = prepare(tmp_path / "state", tmp_path / "specs")
    (state / "revision").write_text("a")
    (state / "revision").chmod(0o646)

    with pytest.raises(StateDirUnsafeError, match="revision in the state directory is writable by other users"):
        prepare(state, tmp_path / "specs")


def test_a_state_directory_that_git_tracks_is_refused(tmp_path: Path) -> None:
    state = prepare(tmp_path / ".state", tmp_path / "specs")
    (state / "revision").write_text("a")
    clone = Clone(tmp_path)
    clone.git("init", "--quiet")
    prepare(state, tmp_path / "specs")
    clone.git("add", ".state")

    with pytest.raises(StateDirUnsafeError, match="Git tracks files in the state directory"):
        prepare(state, tmp_path / "specs")


def test_a_relative_xdg_cache_home_is_ignored(tmp_path: Path) -> None:
    assert default_state_dir(tmp_path, {"XDG_CACHE_HOME": "cache"}) == default_state_dir(tmp_path, {})


def a_group_of_others() -> int:
    """Return the ID of a group other than the current one of this process."""
    others = [each for each in os.getgroups() if each != os.getegid()]
    if os.geteuid() == 0:
        return 65533
    if not others:
        pytest.skip("this user is in only one group")
    return others[0]
