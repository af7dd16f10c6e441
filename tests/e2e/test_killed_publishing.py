"""A run that knows only a URL and publishes, killed by SIGKILL before one of its effects and then started again.

The next run is on the same machine, or on a new one that has only the remote.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from reconciler.model.status import JobStatus, Outcome
from tests.support.cli import Checkout, run_crashing
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

EVERY = 20
"""One of this many effects is tried, or with `--long` each of them."""
PLACES = {"the specs' own branch": ("main:specs/status/", ()), "its own branch": ("s:", ("--status-branch", "s"))}
CASES = [(branch, machine) for branch in PLACES for machine in ("the same", "a fresh")]


@dataclass(frozen=True, slots=True)
class Story:
    """A remote with one spec that requests the cancel of its job, and the machines on which it is run."""

    root: Path
    remote: Path
    specs: Clone
    sandbox: Sandbox
    job_id: str
    place: str
    options: tuple[str, ...]

    def machine(self, name: str) -> Checkout:
        """Return a new machine without any files."""
        (self.root / name).mkdir()
        return Checkout(self.root / name, self.sandbox.environ)

    def published(self) -> JobStatus:
        """Return the status on the remote."""
        return parse_status(Clone(self.remote).git("show", f"{self.place}runaway.yaml") + "\n")


def a_story(root: Path, sandbox: Sandbox, job_id: str, branch: str) -> Story:
    place, more = PLACES[branch]
    remote = a_remote(root / "remote.git")
    clone = a_clone(remote, root / "ada")
    written = Checkout(clone.root)
    written.name_provider()
    written.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    options = ("--once", "--wait", "--git-url", remote.as_uri(), "--push", *more)
    return Story(root, remote, clone, sandbox, job_id, place, options)


@pytest.mark.sampled(1)
@pytest.mark.parametrize(("branch", "machine"), CASES)
def test_the_next_publishing_run_recovers_from_a_kill_before_any_effect(
    branch: str,
    machine: str,
    tmp_path: Path,
    shared_sandbox: Sandbox,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    is_long = pytestconfig.getoption("--long")
    (first,) = shared_sandbox.create(1)
    lives = a_story(tmp_path / "lives", shared_sandbox, first, branch)
    code, effects = run_crashing(lives.machine("a"), 0, *lives.options)
    points = range(1, len(effects) + 1, 1 if is_long else EVERY)

    assert code == 0
    assert sum(each.startswith("POST") for each in effects) == 1
    assert effects.count("git push") == 3
    for number, job_id in zip(points, shared_sandbox.create(len(points)), strict=True):
        story = a_story(tmp_path / f"dies-before-{number}", shared_sandbox, job_id, branch)
        dying = story.machine("dying")
        died, before = run_crashing(dying, number, *story.options)
        again = (dying if machine == "the same" else story.machine("fresh")).run(*story.options)
        (receipt,) = story.published().receipts
        what = f"before {number}, {effects[number - 1]}"

        assert (died, len(before)) == (-signal.SIGKILL, number - 1), what
        assert (again.code, story.published().final, receipt.outcome) == (0, True, Outcome.CANCELLED), what
        assert shared_sandbox.cancels(job_id) == [job_id], what
        assert receipt.origin is not None, what
        assert Clone(story.remote).is_linear("main"), what
        assert story.specs.git("rev-parse", "HEAD") in Clone(story.remote).git("rev-list", "main"), what
    record_property(
        "killed by SIGKILL while publishing",
        f"before {len(points)} of {len(effects)} effects ({branch}, then {machine} machine)",
    )
