"""Changes by others are taken over file by file with the same result as if every file had been read."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from reconciler.formats.status_writer import render_status
from reconciler.git.moved_statuses import differences, move_files, moved
from reconciler.git.status_files import StatusFiles
from tests.support.build import a_status
from tests.support.subjects import HOUR, a_receipt

PATHS = ("a.yaml", "b.yaml", "team/c.yaml", "team/d.yaml", "e.yaml")


def a_tree(rng: random.Random) -> dict[str, bytes]:
    """Return statuses at some of the paths, which are about few jobs, so that jobs often move between paths."""
    return {path: a_version(rng, path) for path in PATHS if rng.random() < 0.8}


def a_version(rng: random.Random, path: str) -> bytes:
    """Return a version of the status at a path, usually about the same job as the other versions."""
    own = PATHS.index(path)
    status = a_status(Path(path).stem, receipts=(a_receipt(age=HOUR * rng.randint(1, 3)),) * rng.randint(0, 1))
    assert status.job is not None
    number = own if rng.random() < 0.7 else rng.randrange(len(PATHS))
    source = "team/specs.yaml" if path.startswith("team/") else "specs.yaml"
    return render_status(replace(status, source=source, job=replace(status.job, id=f"ftjob-{number}"))).encode()


def edited(rng: random.Random, tree: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return a tree after one writer has changed, added or removed some statuses."""
    found = dict(tree)
    for path in rng.sample(PATHS, rng.randint(0, 3)):
        if rng.random() < 0.3:
            found.pop(path, None)
        else:
            found[path] = a_version(rng, path)
    return found


@pytest.mark.parametrize("seed", range(30))
def test_changes_by_others_are_merged_as_if_every_file_had_been_read(seed: int, tmp_path: Path) -> None:
    rng = random.Random(seed)  # noqa: S311  repeatable, not secret
    before = a_tree(rng)
    here, published = edited(rng, before), edited(rng, before)
    files = StatusFiles(tmp_path)
    files.replace_all(here)
    move_files(files, differences(before, published).keys(), before, published)

    assert files.read_all() == moved(here, before, published, published)


def test_the_differences_of_two_trees_lead_from_one_to_the_other() -> None:
    rng = random.Random("differences")  # noqa: S311  repeatable, not secret
    before, after = a_tree(rng), a_tree(rng)
    found = {**before, **differences(before, after)}

    assert {path: data for path, data in found.items() if data is not None} == after
    assert differences(after, after) == {}


def of_job(path: str, number: int, *ages: int) -> bytes:
    """Return a status about a job, with a receipt of each age, in hours."""
    status = a_status(Path(path).stem, receipts=tuple(a_receipt(age=HOUR * age) for age in ages))
    assert status.job is not None
    return render_status(replace(status, job=replace(status.job, id=f"ftjob-{number}"))).encode()


def test_a_receipt_that_moves_to_another_file_of_its_job_keeps_the_receipt_in_that_file(tmp_path: Path) -> None:
    before = {"a.yaml": of_job("a", 1), "b.yaml": of_job("b", 1)}
    here = {"a.yaml": of_job("a", 1, 1), "b.yaml": of_job("b", 1, 2)}
    published = {**before, "a.yaml": of_job("a", 2)}
    files = StatusFiles(tmp_path)
    files.replace_all(here)
    move_files(files, ["a.yaml"], before, published)

    found = files.read_all()
    assert found["a.yaml"] == published["a.yaml"]
    assert len(parse_status(found["b.yaml"].decode()).receipts) == 2
