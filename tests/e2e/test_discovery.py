"""The repository of a directory is found by the nearest `.git` above it, whatever the directory contains."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from reconciler.git.command import GitError
from reconciler.git.discovery import Repository, exists, find_repository
from tests.support.repositories import Clone, a_clone, a_remote


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    (clone.root / "team" / "specs").mkdir(parents=True)
    (clone.root / "team" / "specs" / "a.yaml").write_text("a: b\n", encoding="utf-8")
    clone.commit("Begin")
    clone.push()
    return clone


def found(inside: Path) -> Repository:
    repository = find_repository(inside)
    assert repository is not None
    return repository


def test_a_directory_without_a_repository_above_it_is_not_in_a_checkout(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / ".git").mkdir()

    assert find_repository(tmp_path / "specs") is None


def test_the_nearest_repository_above_the_specs_directory_is_used(clone: Clone) -> None:
    specs = clone.root / "team" / "specs"
    subprocess.run(["git", "init", "--quiet", str(specs)], check=True)

    assert found(specs).git.directory == clone.root
    assert found(specs / "deeper").git.directory == specs


def test_a_linked_working_tree_has_its_own_head_and_shared_branches(clone: Clone, tmp_path: Path) -> None:
    clone.git("worktree", "add", "--quiet", "-b", "side", str(tmp_path / "linked"))
    repository = found(tmp_path / "linked" / "team" / "specs")

    assert repository.git.find("symbolic-ref", "HEAD") == "refs/heads/side"
    assert repository.git.find("rev-parse", "--verify", "--quiet", "refs/heads/main") == clone.git("rev-parse", "HEAD")
    assert repository.common_dir.resolve() == clone.root / ".git"


def test_a_submodule_is_a_separate_repository(clone: Clone, tmp_path: Path) -> None:
    outer = a_clone(a_remote(tmp_path / "outer.git"), tmp_path / "outer")
    remote = (tmp_path / "remote.git").as_uri()
    outer.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", remote, "inner")
    repository = found(outer.root / "inner" / "team" / "specs")

    assert repository.git.directory == outer.root / "inner"
    assert repository.git.find("rev-parse", "HEAD") == clone.git("rev-parse", "HEAD")


def test_a_separate_git_directory_is_found(clone: Clone, tmp_path: Path) -> None:
    clone.git("init", "--quiet", "--separate-git-dir", str(tmp_path / "kept"))

    assert found(clone.root / "team" / "specs").git.git_dir == tmp_path / "kept"


@pytest.mark.parametrize("told", ["gitdir: team/specs/x\n", "gitdir: .\n", "nothing\n", "gitdir: a\0b\n", ""])
def test_a_git_file_that_names_no_repository_or_one_among_the_specs_is_rejected(clone: Clone, told: str) -> None:
    specs = clone.root / "team" / "specs"
    (clone.root / ".git").rename(specs / "x")
    (clone.root / ".git").write_text(told, encoding="utf-8")

    with pytest.raises(GitError):
        find_repository(specs)


def test_an_unknown_repository_format_is_rejected(clone: Clone) -> None:
    clone.git("config", "core.repositoryformatversion", "1")
    clone.git("config", "extensions.noop", "true")
    repository = found(clone.root / "team" / "specs")
    (clone.root / ".git" / "config").write_text("[core]\nrepositoryformatversion = 1\n[extensions]\nnewer = true\n")

    assert repository.git.find("rev-parse", "HEAD")
    with pytest.raises(GitError, match="newer"):
        find_repository(clone.root / "team" / "specs")


def test_a_git_config_file_included_by_includeif_gitdir_is_read(clone: Clone, tmp_path: Path) -> None:
    own = tmp_path / "credentials"
    own.write_text('[http "https://example.org/"]\n\textraheader = AUTHORIZATION: basic eDp5\n', encoding="utf-8")
    clone.git("config", f"includeIf.gitdir:{clone.root}/.git.path", str(own))
    git = found(clone.root / "team" / "specs").git

    assert git.find("config", "--get", "http.https://example.org/.extraheader") == "AUTHORIZATION: basic eDp5"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
@pytest.mark.parametrize("whose", [".", ".git"])
def test_a_repository_of_another_owner_is_rejected_unless_it_is_a_safe_directory(
    clone: Clone, tmp_path: Path, whose: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.chown(clone.root / whose, 65532, 65532)
    specs, home = clone.root / "team" / "specs", tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SUDO_UID", raising=False)
    with pytest.raises(GitError, match=f"git config --global --add safe.directory {clone.root}$"):
        find_repository(specs)
    answers = []
    for safe in ([str(clone.root)], ["*"], [f"{clone.root.parent}/*"], ["*", ""], [str(specs)]):
        lines = "".join(f'\tdirectory = "{each}"\n' for each in safe)
        (home / ".gitconfig").write_text(f"[safe]\n{lines}", encoding="utf-8")
        try:
            answers.append(find_repository(specs) is not None)
        except GitError:
            answers.append(False)

    assert answers == [True, True, True, False, False]
    with (clone.root / ".git" / "config").open("a", encoding="utf-8") as config:
        config.write("[safe]\n\tdirectory = *\n")
    with pytest.raises(GitError):
        find_repository(specs)


def test_an_unreadable_parent_directory_is_an_error_and_not_a_missing_repository(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to("other")
    (tmp_path / "other").symlink_to("one")

    assert not exists(tmp_path / "MERGE_HEAD")
    with pytest.raises(GitError, match="MERGE_HEAD cannot be read"):
        exists(tmp_path / "one" / "MERGE_HEAD")
