"""Reading a few changed spec files again, without a new snapshot."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.specs_walk import is_temporary_by_name
from tests.support.cli import PROVIDER, SPEC


def write(specs: Path, name: str, state: str = "observed") -> None:
    (specs / f"{name}.yaml").write_text(
        SPEC.format(name=name, provider="main", job_id=f"ftjob-{name}", state=state), encoding="utf-8"
    )


@pytest.fixture(name="read")
def _read(tmp_path: Path) -> SpecsDir:
    """Return a source that has read two specs and a Provider document."""
    write(tmp_path, "chat")
    write(tmp_path, "code")
    (tmp_path / "main.yaml").write_text(PROVIDER.format(name="main", concurrency=4, more=""), encoding="utf-8")
    source = SpecsDir(tmp_path, tmp_path / "status", LocalDisk(tmp_path), "specs")
    source.snapshot()
    return source


def test_the_edits_of_changed_files_are_returned_until_the_next_snapshot(read: SpecsDir, tmp_path: Path) -> None:
    for name in ("chat", "code"):
        write(tmp_path, name, "cancelled")
    paths = ["chat.yaml", "code.yaml", ".chat.yaml.swp"]
    first, again = read.reread(paths), read.reread(paths)
    read.snapshot()

    assert first == again
    assert [(each.after.document.metadata.name, each.after.document.spec.desired_state) for each in first or ()] == [
        ("chat", "cancelled"),
        ("code", "cancelled"),
    ]
    assert read.reread(paths) == ()


def _add(specs: Path) -> str:
    write(specs, "new", "cancelled")
    return "new.yaml"


def _remove(specs: Path) -> str:
    (specs / "code.yaml").unlink()
    return "code.yaml"


def _break(specs: Path) -> str:
    (specs / "code.yaml").write_text("{", encoding="utf-8")
    return "code.yaml"


def _edit_a_provider(specs: Path) -> str:
    (specs / "main.yaml").write_text(PROVIDER.format(name="main", concurrency=5, more=""), encoding="utf-8")
    return "main.yaml"


def _lead_out_of_the_root(specs: Path) -> str:
    (specs / "code.yaml").unlink()
    (specs / "code.yaml").symlink_to(specs.parent)
    return "code.yaml"


@pytest.mark.parametrize("change", [_add, _remove, _break, _edit_a_provider, _lead_out_of_the_root])
def test_any_other_change_requires_a_new_snapshot(
    read: SpecsDir, tmp_path: Path, change: Callable[[Path], str]
) -> None:
    write(tmp_path, "chat", "cancelled")

    assert read.reread(["chat.yaml", change(tmp_path)]) is None


@pytest.mark.parametrize("path", ["team", "/elsewhere", "..data", "..2026/chat.yaml", ".git/HEAD", "team/.git", "HEAD"])
def test_any_other_path_requires_a_new_snapshot(read: SpecsDir, tmp_path: Path, path: str) -> None:
    write(tmp_path, "chat", "cancelled")

    assert read.reread(["chat.yaml", path]) is None


def test_only_hidden_names_are_those_of_temporary_files() -> None:
    paths = (".chat.yaml.swp", "team/.#chat", "chat.yaml", "_chat.yaml", "..data", "team/.git")

    assert [*filter(is_temporary_by_name, paths)] == [".chat.yaml.swp", "team/.#chat"]
