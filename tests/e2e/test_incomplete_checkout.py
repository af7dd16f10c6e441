"""A checkout in which a Git operation is unfinished, or that changes while it is read: no request is sent."""

from __future__ import annotations

import gc
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reconciler.git.checked_out_specs import CheckedOutSpecs
from reconciler.git.checkout import find_checkout
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.exit_code import ExitCode
from reconciler.model.status import Origin
from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """Return a clone with one commit on a branch `side`, and the same specs on it as on `main`."""
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    (clone.root / "notes.txt").write_text("one\n", encoding="utf-8")
    clone.commit("Write notes")
    clone.git("checkout", "--quiet", "-b", "side")
    (clone.root / "notes.txt").write_text("two\n", encoding="utf-8")
    clone.commit("Write other notes")
    clone.git("checkout", "--quiet", "main")
    return clone


def stops(clone: Clone, *command: str) -> None:
    """Run a Git command that must fail, because it stops before its end."""
    with pytest.raises(subprocess.CalledProcessError):
        clone.git(*command)


def conflicts(clone: Clone, *command: str) -> None:
    (clone.root / "notes.txt").write_text("three\n", encoding="utf-8")
    clone.commit("Write yet others")
    stops(clone, *command)


def several(clone: Clone, *verb: str) -> None:
    """Stop between two commits of a sequence, when Git keeps only the list of the remaining ones."""
    which = ["side"]
    for number in range(2):
        which.append(clone.git("commit-tree", "side^{tree}", "-p", which[-1], "-m", f"Say it again, {number}"))
    conflicts(clone, *verb, *which)
    (clone.root / "notes.txt").write_text("settled\n", encoding="utf-8")
    clone.git("commit", "--quiet", "--all", "--message", "Settle it")


def pop(clone: Clone) -> None:
    (clone.root / "notes.txt").write_text("mine\n", encoding="utf-8")
    clone.git("stash", "--quiet")
    conflicts(clone, "stash", "pop")


def patch(clone: Clone) -> None:
    clone.git("format-patch", "--quiet", "-1", "side", "--output", str(clone.root.with_name("patch")))
    conflicts(clone, "am", str(clone.root.with_name("patch")))


def bisect(clone: Clone) -> None:
    clone.git("bisect", "start", "HEAD", "HEAD~2")


def linger(clone: Clone) -> None:
    """Begin a bisect that stays at its start, so that HEAD stays on its branch."""
    clone.git("bisect", "start")


def lock(clone: Clone) -> None:
    """Hold the lock of the index, as a Git command of another process does."""
    Path(clone.git("rev-parse", "--path-format=absolute", "--git-path", "index.lock")).touch()


def statuses(clone: Clone) -> str:
    return "".join(each.read_text(encoding="utf-8") for each in (clone.root / "specs" / "status").rglob("*.yaml"))


SEVERAL = "a cherry-pick or revert"
HALF: dict[str, tuple[str, Callable[[Clone], object]]] = {
    "a merge": ("a merge is", lambda clone: clone.git("merge", "--quiet", "--no-ff", "--no-commit", "side")),
    "a merge with conflicts": ("a merge is", lambda clone: conflicts(clone, "merge", "side")),
    "a squash with conflicts": (
        "it has files with conflicts",
        lambda clone: conflicts(clone, "merge", "--squash", "side"),
    ),
    "a cherry-pick": ("a cherry-pick is", lambda clone: conflicts(clone, "cherry-pick", "side")),
    "several cherry-picks": (f"{SEVERAL} is", lambda clone: several(clone, "cherry-pick")),
    "a revert": ("a revert is", lambda clone: conflicts(clone, "revert", "--no-edit", "side")),
    "several reverts": (f"{SEVERAL} is", lambda clone: several(clone, "revert", "--no-edit")),
    "a rebase": ("a rebase is", lambda clone: stops(clone, "rebase", "--quiet", "--exec", "false", "HEAD~1")),
    "a rebase by patches": ("a rebase is", lambda clone: conflicts(clone, "rebase", "--apply", "side")),
    "git am": ("patches are being applied (git am)", patch),
    "a bisect": ("a bisect is", bisect),
    "a bisect that has only begun": ("a bisect is", linger),
    "a stash that conflicts": ("it has files with conflicts", pop),
    "a Git command": ("a Git command is running in it (if none is, remove .git/", lock),
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", ["a clone", "a linked working tree"])
@pytest.mark.parametrize("what", HALF)
def test_a_checkout_with_an_unfinished_git_operation_is_not_acted_on(
    clone: Clone, sandbox: Sandbox, what: str, where: str
) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    if where == "a linked working tree":
        clone.git("worktree", "add", "--quiet", "-b", "linked", str(clone.root.with_name("linked")))
        clone = Clone(clone.root.with_name("linked"))
    told, begin = HALF[what]
    begin(clone)
    ran = Checkout(clone.root, sandbox.environ).run("--once")

    assert f"no change is requested while the checkout is in this state: {told}" in ran.err
    assert "(RevisionNotTrusted)" in ran.err
    assert "RevisionNotTrusted" in statuses(clone)
    assert str(clone.root.parent) not in statuses(clone)
    assert sandbox.cancels(job_id) == []


def test_a_spec_outside_a_sparse_checkout_is_not_treated_as_deleted(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    stopped, other = sandbox.create(2)
    checkout.want("stopped", stopped)
    checkout.run("--once", "--wait")
    checkout.want("other", other)
    clone.commit("Stop one, and then another")
    clone.git("sparse-checkout", "set", "--no-cone", "/*", "!/specs/stopped.yaml")
    ran = checkout.run("--once")
    clone.git("sparse-checkout", "disable")
    again = checkout.run("--once", "--wait")

    assert ran.code == ExitCode.INVALID_DOCUMENT
    assert "specs/stopped.yaml: the file is left out of a sparse checkout: run git sparse-checkout add specs" in ran.err
    assert (
        "while the checkout is in this state: a part of it is missing: specs/stopped.yaml (RevisionNotTrusted)"
        in ran.err
    )
    assert again.code == 0, again.err
    assert sandbox.cancels(stopped, other) == [stopped, other]
    assert checkout.status("stopped").receipts[0].confirmed_at is not None


def test_specs_inside_a_sparse_checkout_are_acted_on(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    clone.git("sparse-checkout", "set", "specs")
    ran = checkout.run("--once", "--wait", "--commit")

    assert ran.code == 0, ran.err
    assert sandbox.cancels(job_id) == [job_id]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", ["specs", "specs/team"])
def test_a_submodule_without_its_files_is_not_treated_as_an_empty_folder(
    clone: Clone, sandbox: Sandbox, where: str
) -> None:
    inner = a_clone(a_remote(clone.root.with_name("inner.git")), clone.root.with_name("inner"))
    (inner.root / "a.yaml").write_text("{}\n", encoding="utf-8")
    inner.commit("Write a spec")
    inner.push()
    source = clone.root.with_name("inner.git").as_uri()
    clone.git("-c", "protocol.file.allow=always", "submodule", "--quiet", "add", source, where)
    clone.git("commit", "--quiet", "--message", "Add the specs of a team")
    clone.git("submodule", "--quiet", "deinit", "--force", where)
    ran = Checkout(clone.root, sandbox.environ).run("--once")

    assert ran.code == ExitCode.INVALID_DOCUMENT
    assert f"{where}: this submodule is not checked out: run git submodule update --init {where}" in ran.err


def test_leftover_files_of_a_resolved_conflict_do_not_stop_a_pass(clone: Clone, sandbox: Sandbox) -> None:
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    clone.commit("Stop it")
    pop(clone)
    clone.git("checkout", "--quiet", "HEAD", "--", "notes.txt")
    ran = checkout.run("--once")

    assert (clone.root / ".git" / "AUTO_MERGE").exists()
    assert ran.code == 0, ran.err
    assert sandbox.cancels(job_id) == [job_id]


class BusyDisk(LocalDisk):
    """A disk on which a desired state changes once its file has been read, as often as `changes` says."""

    def __init__(self, root: Path, changes: int) -> None:
        """Show the files of a directory."""
        super().__init__(root)
        self.changes = changes

    def read(self, path: Path) -> bytes:
        """Return the contents of a file, and change the file."""
        data = super().read(path)
        if self.changes > 0:
            self.changes -= 1
            old, new = (b"cancelled", b"observed") if b"cancelled" in data else (b"observed", b"cancelled")
            path.write_bytes(data.replace(old, new))
        return data


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (0, None),
        (1, None),
        (100, "no change is requested while the checkout is in this state: it changed while it was read"),
    ],
    ids=["quiet", "saved once", "rewritten all the time"],
)
def test_a_checkout_is_acted_on_once_two_scans_in_a_row_are_equal(clone: Clone, changes: int, why: str | None) -> None:
    checkout = Checkout(clone.root)
    checkout.want("runaway", "ftjob-abc123", provider="openai")
    found = find_checkout(checkout.specs)
    assert found is not None
    statuses = checkout.status_dir
    disk = BusyDisk(checkout.specs, changes)
    read = CheckedOutSpecs(
        SpecsDir(checkout.specs, statuses, disk, "specs"), checkout.specs, found, statuses, lambda: datetime.now(UTC)
    ).snapshot()

    assert (read.why_not_trusted, read.is_torn) == (why, why is not None)


def test_only_the_origins_of_the_newest_revision_are_kept(clone: Clone) -> None:
    checkout = Checkout(clone.root)
    checkout.want("runaway", "ftjob-abc123", provider="openai")
    found = find_checkout(checkout.specs)
    assert found is not None
    statuses = checkout.status_dir
    specs = SpecsDir(checkout.specs, statuses, LocalDisk(checkout.specs), "specs")
    read = CheckedOutSpecs(specs, checkout.specs, found, statuses, lambda: datetime.now(UTC))
    commits = []
    for job_id in ("ftjob-abc123", "ftjob-def456"):
        checkout.want("runaway", job_id, provider="openai")
        clone.commit(f"Want {job_id}")
        read.snapshot()
        origin = read.origin("runaway.yaml")
        assert origin is not None
        commits.append(origin.commit)
    del origin

    gc.collect()
    kept = [each.commit for each in gc.get_objects() if isinstance(each, Origin)]
    assert [each for each in kept if each in commits] == commits[-1:]


def test_a_git_repository_among_the_specs_is_named_without_a_path_of_the_machine(tmp_path: Path) -> None:
    a_remote(tmp_path / "specs" / "team" / "repository.git")
    root = tmp_path / "specs"
    why = SpecsDir(root, root / "status", LocalDisk(root), str(root)).snapshot().why_not_trusted

    assert why is not None
    assert why.startswith("team/repository.git contains a Git repository")
