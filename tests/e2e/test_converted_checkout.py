"""Checkouts in which Git converts files, and in which a person works at the same time."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.support.cli import Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

JOBS = 8
ATTRIBUTES = {
    "core.autocrlf": "",
    "eol": "* text eol=crlf\n",
    "ident": "* ident\n",
    "working-tree-encoding": "specs/status/** text working-tree-encoding=UTF-16\n",
}


def a_machine(remote: Path, root: Path, how: str, sandbox: Sandbox) -> Checkout:
    options = ("-c", "core.autocrlf=true") if how == "core.autocrlf" else ()
    a_clone(remote, root, *options)
    return Checkout(root, sandbox.environ)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("how", ATTRIBUTES)
@pytest.mark.parametrize("way", ["--commit", "--push"])
def test_statuses_are_read_correctly_from_a_checkout_that_converts_line_endings(
    tmp_path: Path, sandbox: Sandbox, how: str, way: str
) -> None:
    """Two machines run within an hour. The second one counts the changes of the first one, and rewrites no status."""
    ada = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    written = Checkout(ada.root)
    written.name_provider()
    jobs = sandbox.create(JOBS)
    (ada.root / ".gitattributes").write_text(ATTRIBUTES[how], encoding="utf-8")
    for wanted in (3, 6):
        if wanted == 6:
            ada.git("pull", "--quiet", "--rebase", "origin", "main")
        for number, job_id in enumerate(jobs):
            written.want(f"job-{number}", job_id, "cancelled" if number < wanted else "observed")
        ada.commit(f"Stop {wanted}")
        ada.push()
        machine = a_machine(tmp_path / "remote.git", tmp_path / f"machine-{wanted}", how, sandbox)
        before = [(machine.status_dir / f"job-{number}.yaml") for number in range(JOBS)]
        found = {path: path.read_bytes() for path in before if path.exists()}
        ran = machine.run("--once", "--wait", way)
        Clone(machine.root).git("push", "--quiet", "origin", "HEAD:main")

    assert sorted(sandbox.cancels(*jobs)) == sorted(jobs[:3]), ran
    assert ran.code == 3
    assert "StatusDiscarded" not in ran.err
    assert len(found) == JOBS
    assert all(path.read_bytes() == found[path] for path in before[:3]), "a status without a change is not rewritten"
    assert Clone(machine.root).git("status", "--porcelain", "--", "specs") == ""
    assert (
        b"\r"
        not in subprocess.run(
            ["git", "-C", str(machine.root), "show", "HEAD:specs/status/job-0.yaml"], capture_output=True, check=True
        ).stdout
    )


@pytest.fixture
def at_work(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    """Return a clone with one spec that requests no change yet."""
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    checkout = Checkout(clone.root, sandbox.environ)
    checkout.name_provider()
    (job_id,) = sandbox.create(1)
    checkout.want("first", job_id, "observed")
    clone.commit("Watch it")
    clone.push()
    return checkout


@pytest.mark.long
def test_committing_statuses_does_not_disturb_a_person_in_the_checkout(
    at_work: Checkout, sandbox: Sandbox, record_property: Callable[[str, object], None]
) -> None:
    """A Git command of the person fails while the index is locked. This must be rare and lose no staged change."""
    clone, failures, commands = Clone(at_work.root), [], []
    jobs = sandbox.create(8)
    done = threading.Event()

    def work() -> None:
        number = 0
        while not done.is_set():
            number += 1
            (clone.root / "notes.txt").write_text(f"{number}\n", encoding="utf-8")
            for command in (["add", "notes.txt"], ["diff", "--quiet", "notes.txt"], ["reset", "--quiet", "notes.txt"]):
                ran = subprocess.run(["git", *command], cwd=clone.root, capture_output=True, text=True, check=False)
                commands.append(command)
                failures.extend([ran.stderr] if ran.returncode else [])
            time.sleep(0.02)

    person = threading.Thread(target=work)
    with watching(at_work, "--commit", "--max-cancels", "100", "--max-cancels-absolute", "100") as watch:
        person.start()
        try:
            for number, job_id in enumerate(jobs):
                at_work.want(f"job-{number}", job_id)
                wait_for(
                    partial(is_committed, clone, f"job-{number}"),
                    f"the cancel of job-{number} is committed",
                    within_s=60,
                )
        finally:
            done.set()
            person.join()
        watch.stop()
    record_property(
        "a person's commands of Git beside commits of statuses", f"{len(failures)} of {len(commands)} failed"
    )

    assert len(failures) <= len(commands) // 20, failures
    assert clone.git("status", "--porcelain", "--", "specs/status") == ""


def test_no_command_locks_the_git_index_of_a_person(at_work: Checkout, tmp_path: Path) -> None:
    log = tmp_path / "log"
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "git"
    wrapper.write_text(f'#!/bin/sh\necho "index=$GIT_INDEX_FILE $@" >> {log}\nexec {shutil.which("git")} "$@"\n')
    wrapper.chmod(0o755)
    ran = at_work.run("--once", "--commit", PATH=f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    taking = [
        line for line in log.read_text().splitlines() if {"reset", "read-tree", "update-index"} & set(line.split())
    ]

    assert ran.code == 0, ran.err
    assert len(taking) >= 3
    assert [line for line in taking if line.startswith("index= ")] == []


def is_committed(clone: Clone, name: str) -> bool:
    """Return whether a branch has the final status of a job."""
    path = f"specs/status/{name}.yaml"
    is_there = bool(clone.git("ls-tree", "--name-only", "main", "--", path))
    return is_there and "final: true" in clone.git("show", f"main:{path}")


def hold(lock: Path) -> None:
    lock.write_text("", encoding="utf-8")


def test_a_commit_waits_while_a_person_holds_the_index_lock(at_work: Checkout, sandbox: Sandbox) -> None:
    clone, lock = Clone(at_work.root), at_work.root / ".git" / "index.lock"
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "for": "3s", "on": "cancel", "job": job_id})
    at_work.want("another", job_id)
    before = clone.git("rev-parse", "HEAD")
    with at_work.start("--once", "--commit") as process:
        wait_for(lambda: sandbox.cancels(job_id), "the cancel arrives")
        hold(lock)
        threading.Timer(4, lock.unlink).start()
        _, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert clone.git("rev-parse", "HEAD~1") == before
    assert clone.git("status", "--porcelain", "--", "specs/status") == ""


@pytest.mark.long
def test_a_commit_blocked_by_another_git_process_is_reported_and_made_by_the_next_pass(
    at_work: Checkout, sandbox: Sandbox
) -> None:
    clone, lock = Clone(at_work.root), at_work.root / ".git" / "index.lock"
    (job_id,) = sandbox.create(1)
    sandbox.break_with({"fault": "slow", "for": "3s", "on": "cancel", "job": job_id})
    at_work.want("another", job_id)
    before = clone.git("rev-parse", "HEAD")
    with at_work.start("--once", "--commit") as process:
        wait_for(lambda: sandbox.cancels(job_id), "the cancel arrives")
        hold(lock)
        _, err = process.communicate(timeout=60)
    unmoved = clone.git("rev-parse", "HEAD")
    lock.unlink()
    again = at_work.run("--once", "--commit")

    assert process.returncode == 70
    assert f"another Git command keeps the checkout locked (if none is running, remove {lock})" in err
    assert unmoved == before
    assert again.code == 0, again.err
    assert clone.git("status", "--porcelain", "--", "specs/status") == ""
    assert sandbox.cancels(job_id) == [job_id]


def test_the_next_run_updates_the_index_that_a_killed_run_left_behind(
    at_work: Checkout,
) -> None:
    clone, index = Clone(at_work.root), at_work.root / ".git" / "index"
    shutil.copy(index, at_work.root.with_name("index"))
    assert at_work.run("--once", "--commit").code == 0
    shutil.copy(at_work.root.with_name("index"), index)
    stale = clone.git("status", "--porcelain", "--", "specs/status")
    ran = at_work.run("--once", "--commit")

    assert "D  specs/status/first.yaml" in stale
    assert ran.code == 0, ran.err
    assert clone.git("status", "--porcelain", "--", "specs/status") == ""


def test_changes_staged_by_a_person_stay_staged(at_work: Checkout) -> None:
    clone = Clone(at_work.root)
    (clone.root / "new.txt").write_text("new\n", encoding="utf-8")
    at_work.write("first.yaml", (at_work.specs / "first.yaml").read_text() + "# mine\n")
    clone.git("add", "new.txt", "specs/first.yaml")
    (clone.root / "new.txt").write_text("newer\n", encoding="utf-8")
    ran = at_work.run("--once", "--commit")

    assert ran.code == 0, ran.err
    assert clone.git("status", "--porcelain").splitlines()[:2] == ["AM new.txt", "M  specs/first.yaml"]
    assert clone.git("show", ":new.txt") == "new"
