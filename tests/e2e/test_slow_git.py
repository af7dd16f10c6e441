"""A Git that starts slowly, gets more input than a pipe holds, or is killed while a command runs."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from reconciler.git.command import Git, GitError
from tests.support.cli import PROVIDER, SPEC, WORLD, Checkout, started_sandbox
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox

SPECS = 5_000
"""At 41 bytes for each name, the input of `cat-file` exceeds the 64 KiB of a pipe."""
STARTS_AFTER_S = 1


def a_git(directory: Path, script: str) -> str:
    """Install a test program named `git` before the real one, and return the PATH that finds it."""
    directory.mkdir()
    wrapper = directory / "git"
    wrapper.write_text(f'#!/bin/sh\n{script}\nexec {shutil.which("git")} "$@"\n', encoding="utf-8")
    wrapper.chmod(0o755)
    return f"{directory}:{os.environ['PATH']}"


def is_running(pid: int) -> bool:
    """Return whether a process exists and has not ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except FileNotFoundError:
        return False


@pytest.mark.sampled(1)
@pytest.mark.parametrize("size", [10_000, 70_000, 300_000])
def test_a_slowly_starting_git_receives_all_of_its_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    names = [clone.git("hash-object", "-w", "--stdin", GIT_DIR=str(clone.root / ".git"))] * (size // 41)
    monkeypatch.setenv("PATH", a_git(tmp_path / "bin", f"sleep {STARTS_AFTER_S}"))
    begun = time.monotonic()
    blobs = list(Git(clone.root / ".git").read_blobs(names))

    assert blobs == [b""] * len(names)
    assert time.monotonic() - begun < 30, "the command got its input; without it, it is killed after 60 s"


def test_a_git_that_never_reads_its_input_is_killed_when_reconcile_stops(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", a_git(tmp_path / "bin", f"sleep 61 & echo $! > {tmp_path / 'pid'}; wait"))
    begun = time.monotonic()
    with pytest.raises(GitError, match="reconcile is about to exit"):
        Git(tmp_path, is_stopping=lambda: True).run("hash-object", "--stdin", data=b"x" * 300_000)

    assert time.monotonic() - begun < 25
    assert not is_running(int((tmp_path / "pid").read_text()))


@pytest.mark.long
def test_thousands_of_specs_are_read_cancelled_and_published_with_a_slow_git(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    jobs = ", ".join(f"{{id: ftjob-{number}, age: 1h, life: [{{phase: running}}]}}" for number in range(SPECS))
    (tmp_path / "world.yaml").write_text(WORLD.format(jobs=jobs), encoding="utf-8")
    (clone.root / "specs").mkdir()
    (clone.root / "specs" / "main.yaml").write_text(PROVIDER.format(name="main", concurrency=8, more=""))
    for number in range(SPECS):
        spec = SPEC.format(name=f"job-{number}", provider="main", job_id=f"ftjob-{number}", state="observed")
        (clone.root / "specs" / f"job-{number}.yaml").write_text(
            spec if number else spec.replace("observed", "cancelled"), encoding="utf-8"
        )
    clone.commit("Watch them all, and stop one")
    clone.push()
    path = a_git(tmp_path / "bin", f"sleep {STARTS_AFTER_S}")
    with started_sandbox(tmp_path, "--port", "0", "--jobs", "world.yaml") as url:
        sandbox = Sandbox(url)
        runner = Checkout(tmp_path / "runner", sandbox.environ)
        runner.root.mkdir()
        begun = time.monotonic()
        arguments = ("--git-url", (tmp_path / "remote.git").as_uri(), "--push", "--status-branch", "statuses")
        with runner.start("--once", "--wait", *arguments, PATH=path) as process:
            out, err = process.communicate(timeout=600)
        took_s = time.monotonic() - begun
        cancels = sandbox.cancels("ftjob-0")
    clone.git("fetch", "--quiet", "origin")
    record_property(f"{SPECS:,} specs of a remote, by a Git that starts after {STARTS_AFTER_S} s", f"{took_s:.0f} s")

    assert process.returncode == 0, err
    assert cancels == ["ftjob-0"]
    assert f"{SPECS:,} as desired" in out
    assert len(clone.git("ls-tree", "-r", "--name-only", "origin/statuses").splitlines()) == SPECS
