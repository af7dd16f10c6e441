from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.local.archive_files import Move, move_files


def a_tree(root: Path, *files: str) -> None:
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file, encoding="utf-8")


def contents(root: Path) -> dict[str, str]:
    return {str(each.relative_to(root)): each.read_text("utf-8") for each in root.rglob("*") if each.is_file()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    a_tree(tmp_path, "team/a.yaml", "status/team/a.yaml")
    return tmp_path


def move(root: Path, *, back: bool = False) -> None:
    spec: Move = (root / "team/a.yaml", root / ".archive/team/a.yaml")
    status: Move = (root / "status/team/a.yaml", root / "status/.archive/team/a.yaml")
    if back:
        spec, status = (spec[1], spec[0]), (status[1], status[0])
    move_files([spec], [status], root, root / "status")


ARCHIVED = {".archive/team/a.yaml": "team/a.yaml", "status/.archive/team/a.yaml": "status/team/a.yaml"}


def test_a_spec_and_its_status_are_moved_and_moved_back(tree: Path) -> None:
    before = contents(tree)

    move(tree)
    archived = contents(tree)
    move(tree, back=True)

    assert archived == ARCHIVED
    assert contents(tree) == before


def test_a_move_that_was_interrupted_is_completed(tree: Path) -> None:
    for path, text in ARCHIVED.items():
        a_tree(tree, path)
        (tree / path).write_text(text, encoding="utf-8")

    move(tree)

    assert contents(tree) == ARCHIVED


@pytest.mark.parametrize("path", ARCHIVED)
def test_another_file_in_the_archive_is_not_overwritten_and_nothing_is_removed(tree: Path, path: str) -> None:
    a_tree(tree, path)

    with pytest.raises(FileExistsError) as caught:
        move(tree)

    assert caught.value.filename == str(tree / path)
    assert contents(tree) == {**contents(tree), path: path, "team/a.yaml": "team/a.yaml"}
    assert (tree / "status/team/a.yaml").exists()


def test_a_spec_without_a_status_is_moved_alone(tree: Path) -> None:
    (tree / "status/team/a.yaml").unlink()

    move(tree)

    assert contents(tree) == {".archive/team/a.yaml": "team/a.yaml"}


def test_no_file_is_moved_outside_the_directory(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (tree / ".archive").symlink_to(outside)

    with pytest.raises(PermissionError):
        move(tree)

    assert contents(outside) == {}
    assert (tree / "team/a.yaml").exists()
    assert (tree / "status/team/a.yaml").exists()
