"""A bare repository behind nginx with authentication, and a reconcile command that knows only its URL.

See `.ci/lanes/git-server`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from reconciler.formats.status_parser import parse_status
from reconciler.git.remote import DEPTH
from reconciler.model.status import JobStatus
from tests.support.cli import LOOSE, Checkout, started_sandbox
from tests.support.git_http import git_over_http
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.spec_committer import SpecCommitter, forced, until
from tests.support.watch_process import watching

TOKEN = "canary-of-the-remote-123456"  # noqa: S105  a canary
PUSHES, PUSHES_LONG = 6, 20
LARGE = 24 * 1024 * 1024
SEEN_WITHIN_S = 30
SECONDS, SECONDS_LONG = 15, 120
PROVEN_WITHIN_S = 90

pytestmark = pytest.mark.skipif(
    "RECONCILE_GIT_SERVER" not in os.environ, reason="no Git server: .ci/lanes/git-server installs one"
)


@dataclass(frozen=True, slots=True)
class Team:
    """A served remote, an author's clone of it, and a machine that knows only its URL."""

    url: str
    remote: Path
    server: Path
    clone: Clone
    specs: Checkout
    runner: Checkout
    sandbox: Sandbox

    def want(self, name: str) -> str:
        """Push a spec that requests the cancel of a new job, and return the job's ID."""
        (job_id,) = self.sandbox.create(1)
        self.specs.want(name, job_id)
        self.clone.git("add", "--all")
        self.clone.git("commit", "--quiet", "--message", f"Stop {name}")
        self.clone.git("pull", "--quiet", "--rebase", "origin", "main")
        self.clone.push()
        return job_id

    def subjects(self) -> list[str]:
        """Return the subjects of the remote's branch, the newest first."""
        return Clone(self.remote).subjects("main")

    def is_proven(self, name: str) -> bool:
        """Return whether the remote has a commit about the confirmed cancel of a job."""
        return any(name in subject and "(Cancelled)" in subject for subject in self.subjects())


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Team]:
    remote = a_remote(tmp_path / "remotes" / "specs.git")
    Clone(remote).git("config", "uploadpack.allowFilter", "true")
    clone = a_clone(remote, tmp_path / "ada")
    specs = Checkout(clone.root)
    specs.name_provider()
    clone.commit("Name the provider")
    clone.push()
    for name in ("server", "runner"):
        (tmp_path / name).mkdir()
    with (
        started_sandbox(tmp_path, "--port", "0") as url,
        git_over_http(remote.parent, tmp_path / "server", {"x-access-token": TOKEN}) as address,
    ):
        sandbox = Sandbox(url)
        runner = Checkout(tmp_path / "runner", sandbox.environ)
        yield Team(f"{address}/specs.git", remote, tmp_path / "server", clone, specs, runner, sandbox)


def options(team: Team) -> tuple[str, ...]:
    return ("--git-url", team.url, "--git-poll", "1s", "--push", *LOOSE)


def test_a_push_cancels_a_job_and_the_proof_is_pushed_back(
    team: Team, record_property: Callable[[str, object], None], pytestconfig: pytest.Config
) -> None:
    pushes = PUSHES_LONG if pytestconfig.getoption("--long") else PUSHES
    delays: list[float] = []
    with watching(team.runner, *options(team), RECONCILE_GIT_TOKEN=TOKEN) as watch:
        for number in range(pushes):
            job_id = team.want(f"job-{number}")
            pushed_at = time.monotonic()
            wait_for(partial(team.sandbox.cancels, job_id), "the cancel is requested", SEEN_WITHIN_S)
            delays.append(time.monotonic() - pushed_at)
            wait_for(partial(team.is_proven, f"job-{number}"), "the proof is pushed", SEEN_WITHIN_S)
        code = watch.stop()
    record_property(
        "seconds from a push to its request, polled every second, over HTTP",
        f"median {statistics.median(delays):.2f}, longest {max(delays):.2f}, of {len(delays)} pushes",
    )

    assert code == 0
    assert Clone(team.remote).is_linear("main")
    assert not [path for path in (team.runner.root).rglob("*.yaml") if "published" not in path.parts]


def test_the_git_token_never_appears_in_process_lists_files_or_logs(team: Team, tmp_path: Path) -> None:
    token_file = tmp_path / "token"
    token_file.write_text(f"{TOKEN}\n", encoding="utf-8")
    told = {"GIT_TRACE": str(tmp_path / "runner" / "trace"), "GIT_TRACE_CURL": str(tmp_path / "runner" / "curl")}
    team.want("runaway")
    with seen_processes() as processes:
        with watching(team.runner, *options(team), "-v", "--git-token-file", str(token_file), **told):
            wait_for(lambda: team.is_proven("runaway"), "the proof is pushed", SEEN_WITHIN_S)
        inside = team.url.replace("//", f"//x-access-token:{TOKEN}@")
        other = team.runner.run("--once", "--push", "-v", **told, RECONCILE_GIT_URL=inside)
    kept = [path for path in team.runner.root.rglob("*") if path.is_file()]

    assert other.code == 0, other.err
    assert any("git-remote-http" in line or "remote-http" in line for line in processes)
    assert [line for line in processes if TOKEN in line] == []
    assert [path for path in kept if TOKEN.encode() in path.read_bytes()] == []
    assert TOKEN not in other.out + other.err


@contextmanager
def seen_processes() -> Iterator[set[str]]:
    """Yield the command lines that a busy loop over `/proc` finds until the body ends."""
    seen: set[str] = set()
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):
                    seen.add(file.read_bytes().replace(b"\0", b" ").decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        (None, "the remote needs a token: set --git-token-file or RECONCILE_GIT_TOKEN"),
        ("another-one", "the remote refuses the token"),
    ],
)
def test_an_authentication_failure_of_the_remote_says_what_to_do(team: Team, token: str | None, expected: str) -> None:
    given = {} if token is None else {"RECONCILE_GIT_TOKEN": token}
    ran = team.runner.run("--once", "--git-url", team.url, **given)

    assert ran.code == 78
    assert expected in ran.err


def test_a_watch_keeps_running_if_the_remote_is_unreachable_at_its_start(team: Team) -> None:
    team.remote.rename(team.remote.with_name("away"))
    with watching(team.runner, *options(team), RECONCILE_GIT_TOKEN=TOKEN) as watch:
        wait_for(
            lambda: "the spec repository cannot be fetched" in watch.said(), "the failure is logged", SEEN_WITHIN_S
        )
        team.remote.with_name("away").rename(team.remote)
        job_id = team.want("runaway")
        wait_for(lambda: team.is_proven("runaway"), "the proof is pushed", SEEN_WITHIN_S)
        code = watch.stop()

    assert code == 0
    assert team.sandbox.cancels(job_id) == [job_id]


def test_a_large_blob_is_never_fetched(team: Team) -> None:
    large = team.clone.root / "specs" / "model.bin"
    large.write_bytes(os.urandom(LARGE))
    team.want("runaway")
    ran = team.runner.run("--once", "--wait", *options(team), RECONCILE_GIT_TOKEN=TOKEN)
    kept = sum(path.stat().st_size for path in team.runner.root.rglob("*") if path.is_file())

    assert ran.code == 0, ran.err
    assert team.is_proven("runaway")
    assert kept < LARGE / 4


def test_history_is_fetched_only_as_far_as_needed(team: Team) -> None:
    team.want("runaway")
    first = team.clone.git("rev-parse", "HEAD")
    many_commits(team.clone, DEPTH + 50)
    ran = team.runner.run("--once", "--wait", *options(team), RECONCILE_GIT_TOKEN=TOKEN)
    status = parse_status(Clone(team.remote).git("show", "main:specs/status/runaway.yaml") + "\n")

    assert ran.code == 0, ran.err
    assert status.receipts[0].origin is not None
    assert first.startswith(status.receipts[0].origin.commit)


def many_commits(clone: Clone, number: int) -> None:
    """Push this many commits, which change no spec."""
    stream = [f"reset refs/heads/main\nfrom {clone.git('rev-parse', 'HEAD')}\n\n"]
    for each in range(number):
        stream.append(f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_700_000_000 + each} +0000\n")
        stream.append(f"data 1\nx\nM 644 inline notes\ndata {len(str(each))}\n{each}\n\n")
    subprocess.run(
        ["git", "fast-import", "--quiet", "--force"], cwd=clone.root, input="".join(stream), text=True, check=True
    )
    clone.git("reset", "--quiet", "--hard", "main")
    clone.push()


@pytest.mark.parametrize(
    ("branch", "folder", "more"),
    [("main", "specs/status/", ()), ("statuses", "", ("--status-branch", "statuses"))],
    ids=["the specs' own branch", "a branch of their own"],
)
def test_two_watches_and_a_person_lose_no_commit_and_cancel_each_job_once(
    branch: str,
    folder: str,
    more: tuple[str, ...],
    team: Team,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    remote = Clone(team.remote)
    remote.git("config", "core.logAllRefUpdates", "always")
    committer = SpecCommitter(team.specs, team.clone, team.sandbox)
    other = Checkout(tmp_path / "other", team.runner.environ)
    other.root.mkdir()
    team.sandbox.break_with({"on": "cancel", "fault": "slow", "for": "0.3s"})
    with (
        watching(team.runner, *options(team), *more, RECONCILE_GIT_TOKEN=TOKEN) as one,
        watching(other, *options(team), *more, RECONCILE_GIT_TOKEN=TOKEN) as two,
    ):
        until(time.monotonic() + (SECONDS_LONG if pytestconfig.getoption("--long") else SECONDS), committer.work, 0.8)
        statuses = partial(published, remote, branch, folder, len(committer.jobs))
        wait_for(
            lambda: all(each is not None and each.is_ready for each in statuses()),
            "all cancels are confirmed",
            PROVEN_WITHIN_S,
        )
        codes = one.stop(), two.stop()
    asked = Counter(team.sandbox.cancels(*committer.jobs))
    attempts = [sum(receipt.attempts for receipt in each.receipts) for each in statuses() if each is not None]
    record_property(
        f"two watches and a person over HTTP, statuses on {branch}",
        f"{len(committer.pushed)} commits by the person in {committer.pushes} pushes, "
        f"{len(remote.subjects(branch))} commits on the branch, {sum(asked.values())} requests for {len(asked)} jobs",
    )

    assert codes == (0, 0)
    assert set(asked.values()) == {1}
    assert attempts == [asked[job_id] for job_id in committer.jobs]
    assert committer.lost() == []
    for name in {"main", branch}:
        assert remote.is_linear(name)
        assert forced(team.remote, name) == []


def published(remote: Clone, branch: str, folder: str, number: int) -> list[JobStatus | None]:
    """Return the published statuses of the jobs up to a number, with None for each missing one."""
    names = remote.git("ls-tree", "-r", "--name-only", branch).splitlines()
    paths = [f"{folder}job-{each}.yaml" for each in range(number)]
    return [parse_status(remote.git("show", f"{branch}:{path}") + "\n") if path in names else None for path in paths]
