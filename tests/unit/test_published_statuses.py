"""The statuses in a commit, and what differs between two commits."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.formats.status_writer import render_status
from reconciler.git.command import Git, GitError
from reconciler.git.published_statuses import PublishedStatuses
from reconciler.local.status_walk import STATUS_MAX_BYTES
from tests.support.build import a_status
from tests.support.repositories import Clone, a_clone, a_remote

STATUS = render_status(a_status("chat"))
NEWER = render_status(a_status("chat", source="team.yaml"))


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    return a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "clone")


def committed(clone: Clone, **files: str | None) -> str:
    """Write files whose names have `_` in place of `/`, commit them, and return the commit. None removes a file."""
    for name, text in files.items():
        path = clone.root / f"{name.replace('_', '/')}.yaml"
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    clone.commit("a change")
    return clone.git("rev-parse", "HEAD")


def a_reader(clone: Clone, prefix: str = "") -> PublishedStatuses:
    return PublishedStatuses(Git(clone.root / ".git"), prefix)


@pytest.mark.parametrize("prefix", ["", "at/status"])
def test_the_difference_between_two_commits_leads_from_one_tree_of_statuses_to_the_other(
    clone: Clone, prefix: str
) -> None:
    place = "".join(f"{each}_" for each in prefix.split("/") if each)
    before = committed(
        clone, **{f"{place}kept": STATUS, f"{place}team_edited": STATUS, f"{place}removed": STATUS, "specs": "a: 1"}
    )
    after = committed(
        clone,
        **{f"{place}team_edited": NEWER, f"{place}removed": None, f"{place}new": STATUS, f"{place}note": "a: 1"},
        specs="a: 2",
    )
    reader = a_reader(clone, prefix)
    changed = reader.changed(before, after)

    assert {path: changed[path] for path in ("team/edited.yaml", "removed.yaml", "new.yaml", "note.yaml")} == {
        "team/edited.yaml": NEWER.encode(),
        "removed.yaml": None,
        "new.yaml": STATUS.encode(),
        "note.yaml": None,
    }
    assert "kept.yaml" not in changed
    newer = {**reader.read(before), **changed}
    assert {path: data for path, data in newer.items() if data is not None} == reader.read(after)


def test_a_file_that_is_too_large_or_is_a_link_is_no_status(clone: Clone) -> None:
    before = committed(clone, large=STATUS, link=STATUS)
    (clone.root / "link.yaml").unlink()
    (clone.root / "link.yaml").symlink_to("large.yaml")
    after = committed(clone, large=STATUS + "#" * STATUS_MAX_BYTES)

    assert a_reader(clone).changed(before, after) == {"large.yaml": None, "link.yaml": None}
    assert a_reader(clone).read(after) == {}


def test_a_missing_object_is_an_error_and_no_missing_status(clone: Clone) -> None:
    before, after = committed(clone, chat=STATUS), committed(clone, chat=NEWER)
    name = clone.git("rev-parse", f"{after}:chat.yaml")
    (clone.root / ".git" / "objects" / name[:2] / name[2:]).unlink()

    with pytest.raises(GitError):
        a_reader(clone).changed(before, after)
