"""Reading a few changed spec files again, without a new snapshot."""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.local.specs_walk import is_temporary_by_name
from reconciler.model.spec import FineTuningJob
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
    paths = ["chat.yaml", change(tmp_path)]

    assert read.reread(paths) is None
    assert read.advance(paths) is None
    assert read.reread(["chat.yaml"]), "the edit is not in the last snapshot, because no snapshot was made"


def test_a_source_without_a_snapshot_cannot_be_advanced(tmp_path: Path) -> None:
    assert SpecsDir(tmp_path, tmp_path / "status", LocalDisk(tmp_path), "specs").advance([]) is None


def test_the_last_snapshot_is_returned_if_no_path_has_changed(read: SpecsDir, tmp_path: Path) -> None:
    write(tmp_path, "chat", "cancelled")

    assert read.advance([]) is read.advance([".chat.yaml.swp", "code.yaml"])
    assert read.reread(["chat.yaml"])


def test_a_snapshot_with_diagnostics_is_not_advanced_because_an_edit_may_move_their_lines(
    read: SpecsDir, tmp_path: Path
) -> None:
    (tmp_path / "twin.yaml").write_bytes((tmp_path / "chat.yaml").read_bytes())
    assert read.snapshot().diagnostics
    write(tmp_path, "chat", "cancelled")

    assert read.advance(["chat.yaml"]) is None


def test_an_edit_is_in_the_last_snapshot_once_it_was_advanced(read: SpecsDir, tmp_path: Path) -> None:
    write(tmp_path, "chat", "cancelled")
    advanced = read.advance(["chat.yaml"])

    assert read.reread(["chat.yaml"]) == ()
    assert advanced == read.snapshot(by_content=False) == read.snapshot()


SPECS = ("a", "b", "team/c", "team/d", "team-x", "z")


def _text(rng: random.Random, path: str) -> str:
    """Return the text of a file with two specs, or in rare cases another text."""
    if rng.random() < 0.05:
        return rng.choice(
            ["{", "# nothing", "kind: Settings", SPEC.format(name="a-0", provider="p", job_id="x", state="")]
        )
    name, comment = path.replace("/", "-"), "# a comment\n" * rng.randrange(3)
    states = (rng.choice(["observed", "cancelled", "running"]) for _ in range(2))
    specs = [
        SPEC.format(name=f"{name}-{at}", provider="openai", job_id=f"ftjob-{name}{at}", state=state)
        for at, state in enumerate(states)
    ]
    return comment + "---\n".join(specs)


def _change(rng: random.Random, root: Path) -> list[str]:
    """Change some files below the root, and return their paths."""
    names = rng.sample(SPECS, rng.randrange(3))
    for each in names:
        path = root / f"{each}.yaml"
        path.parent.mkdir(exist_ok=True)
        if rng.random() < 0.03:
            path.unlink(missing_ok=True)
        else:
            path.write_text(_text(rng, each), encoding="utf-8")
    return [f"{each}.yaml" for each in names]


@pytest.mark.parametrize("seed", range(4))
def test_an_advanced_snapshot_is_equal_to_a_new_one_after_any_changes(tmp_path: Path, seed: int) -> None:
    rng, disk, advanced = random.Random(seed), LocalDisk(tmp_path), 0  # noqa: S311  repeatable, not secret
    source = SpecsDir(tmp_path, tmp_path / "status", disk, "specs")
    source.snapshot()
    for _ in range(50):
        found = source.advance(_change(rng, tmp_path))
        advanced += found is not None
        if found is None:
            found = source.snapshot()

        assert found == SpecsDir(tmp_path, tmp_path / "status", disk, "specs").snapshot()
    assert advanced > 5


@pytest.mark.parametrize("path", ["team", "/elsewhere", "..data", "..2026/chat.yaml", ".git/HEAD", "team/.git", "HEAD"])
def test_any_other_path_requires_a_new_snapshot(read: SpecsDir, tmp_path: Path, path: str) -> None:
    write(tmp_path, "chat", "cancelled")

    assert read.reread(["chat.yaml", path]) is None


def test_only_hidden_names_are_those_of_temporary_files() -> None:
    paths = (".chat.yaml.swp", "team/.#chat", "chat.yaml", "_chat.yaml", "..data", "team/.git")

    assert [*filter(is_temporary_by_name, paths)] == [".chat.yaml.swp", "team/.#chat"]


def test_a_snapshot_forgets_the_documents_of_deleted_files(read: SpecsDir, tmp_path: Path) -> None:
    names = {"forgotten-after-its-file", "kept-with-its-file"}  # no other test of this process has documents of these
    for name in names:
        write(tmp_path, name)
    read.snapshot()
    assert all(read.current(f"{name}.yaml", name) is not None for name in names)
    (tmp_path / "forgotten-after-its-file.yaml").unlink()
    read.snapshot()

    gc.collect()
    jobs = [each for each in gc.get_objects() if isinstance(each, FineTuningJob)]
    assert {each.metadata.name for each in jobs} & names == {"kept-with-its-file"}
