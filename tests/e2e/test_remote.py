"""Specs from a Git remote of which only the URL is given."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.git.clone import open_clone
from reconciler.git.poller import polling
from reconciler.git.remote import DEPTH, RemoteSpecs
from reconciler.git.remote_credentials import RemoteCredentials
from tests.support.cli import SPEC, Checkout
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.threaded_server import serving
from tests.support.watch_process import watching

NOW = datetime.now(UTC)
CANARY = "canary-of-the-remote-123456"
PROVIDER = (
    "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {{name: main}}\n"
    "spec: {{type: openai, options: {{project: {}}}}}\n"
)
SETTINGS = "apiVersion: jobs.reconciler/v1\nkind: Settings\nmetadata: {{name: settings}}\nspec: {{suspend: {}}}\n"


@pytest.fixture
def ada(tmp_path: Path) -> Clone:
    clone = a_clone(a_remote(tmp_path / "remote.git"), tmp_path / "ada")
    want(clone, "runaway", "cancelled")
    clone.commit("Stop the runaway")
    clone.push()
    return clone


def want(clone: Clone, name: str, state: str) -> None:
    specs = clone.root / "specs"
    specs.mkdir(exist_ok=True)
    text = SPEC.format(name=name, provider="openai", job_id=f"ftjob-{name}", state=state)
    (specs / f"{name}.yaml").write_text(text, encoding="utf-8")


def the_remote(tmp_path: Path, accepted: str | None = None) -> RemoteSpecs:
    git = open_clone(tmp_path / "state" / "remote", RemoteCredentials((tmp_path / "remote.git").as_uri()))
    memory = tmp_path / "state" / "revision"
    specs = RemoteSpecs(git, "main", "specs", "specs/status", memory, lambda: NOW, accepted=accepted)
    specs.poll()
    return specs


def test_a_commit_is_read_without_a_checkout(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    found = specs.snapshot()

    assert [each.document.metadata.name for each in found.jobs] == ["runaway"]
    assert found.revision == ada.git("rev-parse", "HEAD")
    assert found.why_not_trusted is None
    assert not list((tmp_path / "state" / "remote").rglob("*.yaml"))


def test_missing_history_is_fetched_to_find_the_author_of_a_spec(ada: Clone, tmp_path: Path) -> None:
    first = ada.git("rev-parse", "HEAD")
    commits = f"reset refs/heads/main\nfrom {first}\n\n" + "".join(
        f"commit refs/heads/main\ncommitter Ada <ada@example.org> {1_700_000_000 + each} +0000\ndata 1\nx\n"
        "M 644 inline notes\ndata 1\nx\n\n"
        for each in range(DEPTH + 1)
    )
    command = ["git", "fast-import", "--quiet", "--force"]
    subprocess.run(command, cwd=ada.root, input=commits, text=True, check=True)
    ada.push()
    origin = the_remote(tmp_path).origin("runaway.yaml")

    assert origin is not None
    assert first.startswith(origin.commit)


def test_a_push_is_noticed_at_the_next_poll(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    want(ada, "second", "observed")
    ada.commit("Watch another")
    ada.push()
    before = specs.snapshot()
    has_moved = specs.poll()

    assert len(before.jobs) == 1
    assert has_moved
    assert len(specs.snapshot().jobs) == 2
    assert not specs.poll()


def test_a_spec_that_changed_since_it_was_read_is_detected(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    specs.snapshot()
    want(ada, "runaway", "observed")
    ada.commit("Let it run")
    ada.push()
    specs.poll()
    current = specs.current("runaway.yaml", "runaway")

    assert current is not None
    assert current.spec.desired_state == "observed"


def test_only_a_commit_that_changes_the_settings_is_detected_as_such(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    settings = ada.root / "specs" / "settings.yaml"
    settings.write_text(SETTINGS.format("false"), encoding="utf-8")
    answers = []
    for message, suspend in {"Begin": "false", "Say nothing new": "false", "Stop all": "true"}.items():
        settings.write_text(SETTINGS.format(suspend), encoding="utf-8")
        want(ada, message.split()[-1].lower(), "observed")
        ada.commit(message)
        ada.push()
        specs.poll()
        answers.append(specs.is_as_read())
        specs.snapshot()

    assert answers == [True, True, False]
    assert specs.is_as_read()


def test_a_commit_that_changes_a_provider_document_is_detected(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    provider = ada.root / "specs" / "main.yaml"
    answers: list[bool] = []
    for project in ("a", "a", "b"):
        provider.write_text(PROVIDER.format(project), encoding="utf-8")
        want(ada, f"job-{len(answers)}", "observed")
        ada.commit(f"Commit {len(answers)}")
        ada.push()
        specs.poll()
        answers.append(specs.is_as_read())
        specs.snapshot()

    assert answers == [True, True, False]
    assert specs.is_as_read()


def test_a_receipt_names_the_commit_of_a_remote(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    specs.snapshot()
    origin = specs.origin("runaway.yaml")

    assert origin is not None
    assert origin.author == "Ada <ada@example.org>"
    assert ada.git("rev-parse", "HEAD").startswith(origin.commit)


def test_a_rewound_branch_is_not_acted_on_until_a_person_accepts_it(ada: Clone, tmp_path: Path) -> None:
    want(ada, "second", "observed")
    ada.commit("Watch another")
    ada.push()
    the_remote(tmp_path).snapshot()
    ada.git("reset", "--quiet", "--hard", "HEAD~1")
    ada.git("push", "--quiet", "--force", "origin", "HEAD:main")
    rewound = the_remote(tmp_path).snapshot()
    again = the_remote(tmp_path).snapshot()
    accepted = the_remote(tmp_path, ada.git("rev-parse", "HEAD")[:12]).snapshot()

    assert "was rewound" in str(rewound.why_not_trusted)
    assert "--accept-revision" in str(again.why_not_trusted)
    assert accepted.why_not_trusted is None


def test_an_accepted_rewind_is_accepted_only_once(ada: Clone, tmp_path: Path) -> None:
    first = ada.git("rev-parse", "HEAD")
    specs = the_remote(tmp_path, first[:12])
    distrusts = []
    for state in ("observed", "running"):
        want(ada, "second", state)
        ada.commit("Watch another")
        ada.push()
        specs.poll()
        specs.snapshot()
        ada.git("push", "--quiet", "--force", "origin", f"{first}:main")
        ada.git("reset", "--quiet", "--hard", first)
        specs.poll()
        distrusts += [specs.snapshot().why_not_trusted, specs.snapshot().why_not_trusted]

    assert distrusts[:2] == [None, None]
    assert all("was rewound" in str(each) for each in distrusts[2:])


def test_a_commit_that_a_publication_of_statuses_has_fetched_wakes_the_watch(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    want(ada, "another", "cancelled")
    ada.commit("Stop another")
    ada.push()

    async def check() -> None:
        async with polling(specs, every_s=0.05) as poller:
            await asyncio.sleep(0)  # the poller begins
            assert specs.poll()
            await asyncio.wait_for(poller.wait(), timeout=10)

    asyncio.run(check())


def test_an_unreachable_remote_is_reported_and_the_last_commit_stays_in_use(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    (tmp_path / "remote.git").rename(tmp_path / "elsewhere.git")
    specs.poll()
    found = specs.snapshot()

    assert len(found.jobs) == 1
    assert "cannot be fetched" in found.notices[0]
    assert ada.root.exists()


def test_a_damaged_clone_that_cannot_be_recreated_is_reported_and_recreated_later(ada: Clone, tmp_path: Path) -> None:
    specs = the_remote(tmp_path)
    for file in (tmp_path / "state" / "remote" / "objects").rglob("*"):
        if file.is_file():
            file.unlink()
    blocked = tmp_path / "state" / "remote.new"
    blocked.write_text("")
    want(ada, "another", "cancelled")
    ada.commit("Stop another")
    ada.push()

    assert not specs.poll()
    assert "the clone cannot be written" in str(specs.unreachable)

    blocked.unlink()

    assert specs.poll()
    assert len(specs.snapshot().jobs) == 2


def test_a_remote_that_was_never_reached_causes_no_removal(tmp_path: Path) -> None:
    found = the_remote(tmp_path).snapshot()

    assert found.jobs == ()
    assert found.broken_files == {""}
    assert found.why_not_trusted is not None


def test_a_hostile_tree_is_read_as_data_only(ada: Clone, tmp_path: Path) -> None:
    secret = tmp_path / "secret.yaml"
    secret.write_text(SPEC.format(name="stolen", provider="openai", job_id="ftjob-x", state="cancelled"))
    specs = ada.root / "specs"
    (specs / "link.yaml").symlink_to(secret)
    (specs / "up").symlink_to("../..")
    (specs / "-rf").write_text("- rf\n")
    (specs / ".gitattributes").write_text("* filter=evil diff=evil\n")
    (specs / "big.yaml").write_bytes(b"#" * 9_000_000)
    (ada.root / ".gitmodules").write_text('[submodule "x"]\n\tpath = x\n\turl = ext::touch /tmp/owned\n')
    hooks = ada.root / "hooks"
    hooks.mkdir()
    (hooks / "post-checkout").write_text("#!/bin/sh\ntouch owned\n")
    ada.commit("Try everything")
    ada.push()
    found = the_remote(tmp_path).snapshot()

    assert [each.document.metadata.name for each in found.jobs] == ["runaway"]
    assert "big.yaml" in found.broken_files
    assert not list(tmp_path.rglob("owned"))


def test_once_with_only_a_git_url_cancels_and_pushes_the_confirmation(
    ada: Clone, tmp_path: Path, sandbox: Sandbox
) -> None:
    (job_id,) = sandbox.create(1)
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    spec = SPEC.format(name="runaway", provider="openai", job_id=job_id, state="cancelled")
    (ada.root / "specs" / "runaway.yaml").write_text(spec, encoding="utf-8")
    ada.commit("Stop the right one")
    ada.push()
    url = (tmp_path / "remote.git").as_uri()
    first = runner.run("--once", "--wait", "--git-url", url, "--push", "--status-branch", "statuses")
    second = runner.run("--once", "--wait", "--git-url", url, "--push", "--status-branch", "statuses")
    ada.git("fetch", "--quiet")
    subjects = ada.subjects("origin/statuses")

    assert first.code == 0, first.err
    assert second.code == 0, second.err
    assert sandbox.cancels(job_id) == [job_id]
    assert subjects[0] == "reconcile: runaway: cancelled (Cancelled)"
    assert subjects[-1] == "reconcile: about to cancel runaway"
    assert ada.subjects("origin/main")[0] == "Stop the right one"


def test_a_watch_of_a_remote_acts_on_a_push(ada: Clone, tmp_path: Path, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    url = (tmp_path / "remote.git").as_uri()
    with runner.start("--git-url", url, "--git-poll", "1s", "--push") as watch:
        spec = SPEC.format(name="runaway", provider="openai", job_id=job_id, state="cancelled")
        (ada.root / "specs" / "runaway.yaml").write_text(spec, encoding="utf-8")
        ada.git("pull", "--quiet", "--rebase", "--autostash")
        ada.commit("Stop the right one")
        ada.push()
        wait_for(lambda: sandbox.cancels(job_id), "the pushed cancel arrives at the provider")
        watch.terminate()
        watch.communicate(timeout=20)
    ada.git("fetch", "--quiet")

    assert watch.returncode == 0
    assert sandbox.phase(job_id) == "cancelled"
    assert ada.is_linear("origin/main")
    assert "Stop the right one" in ada.subjects("origin/main")


def test_paths_in_reports_are_those_in_the_branch_wherever_the_command_runs(ada: Clone, tmp_path: Path) -> None:
    (ada.root / "specs" / "odd.yaml").write_text("kind: FineTuningJob\n", encoding="utf-8")
    ada.commit("Make a mistake")
    ada.push()
    inside = Checkout(ada.root / "specs", {"GITHUB_ACTIONS": "true", "GITHUB_WORKSPACE": str(ada.root)})
    where = ("--once", "--dry-run", "--git-url", (tmp_path / "remote.git").as_uri())
    ran = inside.run(*where, "--git-path", "./specs/./", "--code-quality", "found.json")
    found = json.loads((inside.root / "found.json").read_text(encoding="utf-8"))
    outside = inside.run(*where, "--git-path", "specs/../..")

    assert {each["location"]["path"] for each in found} >= {"specs/odd.yaml"}
    assert all(each["location"]["path"].startswith("specs/") for each in found)
    assert "file=specs/odd.yaml" in ran.err
    assert "specs/specs" not in ran.err
    assert outside.code == os.EX_USAGE
    assert "the specs directory must be inside the repository: remove '..'" in outside.err


def test_an_unreachable_git_url_is_reported(tmp_path: Path) -> None:
    runner = Checkout(tmp_path)
    ran = runner.run("--once", "--git-url", (tmp_path / "nowhere.git").as_uri())

    assert ran.code == 78
    assert "the specs cannot be fetched" in ran.err


@pytest.mark.long
def test_a_watch_of_a_remote_that_hangs_stops_in_time_and_leaves_no_process(tmp_path: Path, sandbox: Sandbox) -> None:
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        url = f"http://127.0.0.1:{hanging.getsockname()[1]}/specs.git"
        with watching(runner, "--git-url", url, "--git-poll", "1s", "--push") as watch:
            wait_for(lambda: those_who_know(url) > 1, "Git runs with the URL")
            begun = time.monotonic()
            code = watch.stop()
            took_s = time.monotonic() - begun

    assert code == 0
    assert took_s < 25, "the watch stops before a platform kills it after 30 s"
    assert those_who_know(url) == 0


def those_who_know(url: str) -> int:
    """Return the number of processes with a URL on their command line."""
    found = 0
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found += url.encode() in file.read_bytes()
    return found


def test_a_git_token_is_not_sent_after_a_redirect(tmp_path: Path, sandbox: Sandbox) -> None:
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    with listening() as (elsewhere, arrived), redirecting(elsewhere) as url:
        ran = runner.run("--once", "--git-url", f"{url}/specs.git", RECONCILE_GIT_TOKEN=CANARY)

    assert ran.code == 78
    assert arrived == []


def test_a_password_in_the_git_url_works_and_is_in_no_process_list(tmp_path: Path, sandbox: Sandbox) -> None:
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    with listening() as (address, arrived):
        url = address.replace("http://", f"http://ada:{CANARY}@")
        with watching(runner, "--git-url", f"{url}/specs.git", "--git-poll", "1s") as watch:
            wait_for(lambda: arrived, "a request from Git arrives")
            shown = those_who_know(CANARY)
            command = Path(f"/proc/{watch.process.pid}/cmdline").read_bytes()
            code = watch.stop()

    assert base64.b64encode(f"ada:{CANARY}".encode()).decode() in arrived[0]
    assert shown == 0
    assert b"/specs.git" in command
    assert code == 0
    assert CANARY not in watch.said()


def test_a_git_token_is_sent_over_plain_http_only_if_the_operator_allows_it(tmp_path: Path, sandbox: Sandbox) -> None:
    runner = Checkout(tmp_path, sandbox.environ)
    url = "http://git.invalid:8080/specs.git"
    ran = runner.run("--once", "--git-url", url, RECONCILE_GIT_TOKEN=CANARY)
    trusted = {"RECONCILE_GIT_TOKEN": CANARY, "RECONCILE_TRUST": "RECONCILE_GIT_TOKEN=http://git.invalid:8080"}
    again = runner.run("--once", "--git-url", url, **trusted)

    assert ran.code == 78
    assert "RECONCILE_GIT_TOKEN would be sent to git.invalid:8080/specs.git over plain http" in ran.err
    assert "RECONCILE_TRUST='RECONCILE_GIT_TOKEN=http://git.invalid:8080/specs.git'" in ran.err
    assert "Could not resolve host" in again.err
    assert CANARY not in ran.err + again.err


def test_a_rewind_accepted_in_a_dry_run_is_not_accepted_in_the_next_run(
    ada: Clone, tmp_path: Path, sandbox: Sandbox
) -> None:
    runner = Checkout(tmp_path / "runner", sandbox.environ)
    runner.root.mkdir()
    url = (tmp_path / "remote.git").as_uri()
    want(ada, "second", "observed")
    ada.commit("Watch another")
    ada.push()
    runner.run("--once", "--git-url", url)
    ada.git("push", "--quiet", "--force", "origin", "HEAD~1:main")
    dry = runner.run("--once", "--dry-run", "--git-url", url, "--accept-revision", ada.git("rev-parse", "HEAD~1"))
    refused = runner.run("--once", "--git-url", url)

    assert "was rewound" not in dry.err
    assert "was rewound" in refused.err


@contextmanager
def listening() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a server, and the list of what it receives."""
    arrived: list[str] = []

    class Listening(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            arrived.append(str(self.headers))
            self.send_error(HTTPStatus.NOT_FOUND)

        def log_message(self, *_: object) -> None:
            pass

    with answering(Listening) as address:
        yield address, arrived


@contextmanager
def redirecting(elsewhere: str) -> Iterator[str]:
    """Yield the address of a server that redirects every request to another one."""

    class Redirecting(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(HTTPStatus.FOUND)
            self.send_header("location", f"{elsewhere}{self.path}")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with answering(Redirecting) as address:
        yield address


@contextmanager
def answering(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"
