"""A Git process that is killed while a command runs: the next run continues from the state that it leaves."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from reconciler.git.clone import open_clone
from reconciler.git.remote_credentials import RemoteCredentials
from reconciler.model.status import Outcome
from tests.support.cli import Checkout, Ran
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

EVERY = 30
"""One of this many commands is killed, or with `--long` each of them at each moment."""
MOMENTS = ("before", "after", "during")
KILLING = """\
#!/bin/bash
exec 9>> {here}/lock; flock 9
n=$(($(cat {here}/count 2>/dev/null || echo 0) + 1)); echo $n > {here}/count
flock -u 9
[ $n = {number} ] || exec {git} "$@"
case {when} in
  before) kill -KILL $$ ;;
  after) {git} "$@" > /dev/null; kill -KILL $$ ;;
  *) {git} "$@" & sleep 0.00$((RANDOM % 10)); kill -KILL $!; kill -KILL $$ ;;
esac
"""
WAYS = {
    "a checkout": ("--push",),
    "a checkout, a branch of its own": ("--push", "--status-branch", "s"),
    "a remote": ("--git-url", "{url}", "--push", "--status-branch", "s"),
}


@dataclass(frozen=True, slots=True)
class Story:
    """A remote with a spec that requests the cancel of its job, and a machine that runs reconcile."""

    root: Path
    sandbox: Sandbox
    job_id: str
    way: str

    @property
    def remote(self) -> Path:
        """The repository of the specs and of the published statuses."""
        return self.root / "remote.git"

    def begin(self) -> None:
        """Write the spec, and set up the machine."""
        ada = a_clone(a_remote(self.remote), self.root / "ada")
        written = Checkout(ada.root)
        written.name_provider()
        written.want("runaway", self.job_id)
        ada.commit("Stop the runaway")
        ada.push()
        if "checkout" in self.way:
            a_clone(self.remote, self.root / "machine")
        else:
            (self.root / "machine").mkdir()

    def run(self, number: int = 0, when: str = "") -> Ran:
        """Make a run in which the Git command with this number is killed. The first one is 1."""
        here = self.root / f"bin-{number}-{when}"
        here.mkdir()
        script = KILLING.format(here=here, number=number, when=when, git=shutil.which("git"))
        (here / "git").write_text(script, encoding="utf-8")
        (here / "git").chmod(0o755)
        options = [each.format(url=self.remote.as_uri()) for each in WAYS[self.way]]
        machine = Checkout(self.root / "machine", self.sandbox.environ)
        return machine.run("--once", "--wait", *options, PATH=f"{here}:{os.environ['PATH']}")

    def commands(self) -> int:
        """Return the number of Git commands in an undisturbed run, including those that Git itself starts."""
        return int((self.root / "bin-0-" / "count").read_text(encoding="utf-8"))


@pytest.mark.sampled(1)
@pytest.mark.parametrize("way", WAYS)
def test_the_next_run_recovers_from_a_git_killed_during_any_command(
    way: str,
    tmp_path: Path,
    shared_sandbox: Sandbox,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    (first,) = shared_sandbox.create(1)
    lives = Story(tmp_path / "lives", shared_sandbox, first, way)
    lives.begin()
    assert lives.run().code == 0
    numbers = range(1, lives.commands() + 1)
    if pytestconfig.getoption("--long"):
        points = [(n, when) for n in numbers for when in MOMENTS]
    else:
        points = [(n, MOMENTS[at % len(MOMENTS)]) for at, n in enumerate(numbers[::EVERY])]
    for (number, when), job_id in zip(points, shared_sandbox.create(len(points)), strict=True):
        story = Story(tmp_path / f"{when}-{number}", shared_sandbox, job_id, way)
        story.begin()
        died, again = story.run(number, when), story.run(0)
        if "checkout" in way and (locks := LOCK.findall(again.err)):
            # A killed Git can leave a lock behind. In a person's checkout, only the person may remove it.
            for lock in locks:
                Path(lock).unlink(missing_ok=True)
            again = story.run(0, "again")
        ref = "s:" if "s" in WAYS[way] else "main:specs/status/"
        status = parse_status(Clone(story.remote).git("show", f"{ref}runaway.yaml") + "\n")
        what = f"{when} {number}: {died} {again}"

        assert "a bug in" not in died.err, what
        assert again.code == 0, what
        assert shared_sandbox.cancels(job_id) == [job_id], what
        assert (status.final, status.receipts[0].outcome) == (True, Outcome.CANCELLED), what
    record_property(f"a Git that was killed ({way})", f"{len(points)} times, before, in and after one of its commands")


LOCK = re.compile(r"(/\S+\.lock) exists: .*; if none is running, remove the file")
REMAINS: dict[str, Callable[[Path], object]] = {
    "a locked branch": lambda clone: (clone / "refs/reconcile/specs.lock").write_text(""),
    "a locked branch with a commit id": lambda clone: shutil.copy(
        clone / "refs/reconcile/specs", clone / "refs/reconcile/specs.lock"
    ),
    "locked packed references": lambda clone: (clone / "packed-refs.lock").write_text(""),
    "a locked shallow file": lambda clone: (clone / "shallow.lock").write_text(""),
    "half a pack": lambda clone: (clone / "objects/pack/tmp_pack_abc").write_bytes(b"PACK"),
    "a pack that is kept": lambda clone: (clone / "objects/pack/pack-abc.keep").write_text(""),
    "an empty HEAD": lambda clone: (clone / "HEAD").write_text(""),
    "no HEAD": lambda clone: (clone / "HEAD").unlink(),
    "no references": lambda clone: shutil.rmtree(clone / "refs"),
    "no objects": lambda clone: shutil.rmtree(clone / "objects"),
    "nothing at all": shutil.rmtree,
    "a branch that is empty": lambda clone: (clone / "refs/reconcile/specs").write_text(""),
    "a branch of nothing": lambda clone: (clone / "refs/reconcile/specs").write_text(f"{'1' * 40}\n"),
    "torn objects": lambda clone: tear(*(file for file in (clone / "objects").rglob("*") if file.is_file())),
    "torn blobs": lambda clone: tear(*(file for file in (clone / "objects").glob("??/*") if is_blob(clone, file))),
    "torn settings": lambda clone: (clone / "config").write_text("[core\n"),
    "settings of somebody else": lambda clone: (clone / "config").write_text("[core]\n\tsshCommand = touch x\n"),
}


def tear(*files: Path) -> None:
    """Truncate files, as a power failure does."""
    for file in files:
        file.chmod(0o644)
        file.write_bytes(b"")


def is_blob(clone: Path, file: Path) -> bool:
    return Clone(clone).git("cat-file", "-t", f"{file.parent.name}{file.name}") == "blob"


@pytest.mark.long
@pytest.mark.parametrize("what", REMAINS)
def test_leftovers_of_a_killed_git_in_the_clone_are_cleaned_up(what: str, tmp_path: Path, sandbox: Sandbox) -> None:
    first, second = sandbox.create(2)
    story = Story(tmp_path, sandbox, first, "a remote")
    story.begin()
    story.run(0)
    (clone,) = (tmp_path / "machine" / "cache" / "reconcile").glob("*/remote")
    REMAINS[what](clone)
    ada = Checkout(tmp_path / "ada")
    ada.want("another", second)
    Clone(ada.root).commit("Stop another")
    Clone(ada.root).push()
    shutil.rmtree(tmp_path / "bin-0-")
    ran = story.run(0)

    assert ran.code == 0, ran.err
    assert sandbox.cancels(second) == [second]


def test_a_read_only_run_removes_no_lock_that_may_belong_to_another_process(tmp_path: Path) -> None:
    remote = a_remote(tmp_path / "remote.git")
    open_clone(tmp_path / "state" / "remote", RemoteCredentials(remote.as_uri()))
    lock = tmp_path / "state" / "remote" / "shallow.lock"
    lock.write_text("")
    open_clone(tmp_path / "state" / "remote", RemoteCredentials(remote.as_uri()), is_exclusive=False)

    assert lock.exists()
