"""Attacks by an author of commits who uses a few Git objects to represent millions of files.

A tree may contain another tree many times, and that one may do the same. A push of a few kilobytes can thus describe a
directory that is larger than any disk. A command that lists such a tree must end, in the memory of a small container,
and report the problem. `RECONCILE_COMMAND` runs the same attacks on another build.
"""

from __future__ import annotations

import resource
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path

import pytest

from tests.e2e.test_attacks_texts import CONTAINER
from tests.support.cli import Checkout, Ran, finished
from tests.support.git_daemon import git_daemon
from tests.support.processes import memory_of
from tests.support.repositories import a_clone, a_remote
from tests.support.sandbox_client import Sandbox
from tests.support.threaded_server import serving

MEMORY_MAX = 1024**3
"""The limit of the address space, in bytes, which is more than the memory of a container."""
ENDS_WITHIN_S = 60
WIDTH, LEVELS = 60, 5
"""Three quarters of a billion files, in five trees and a blob."""
DEEP, CHAINS = 1_500, 200
HEAVY, NAMES = 4_000_000, 50
LONG = 300 * 1024**2
"""The length of a message in bytes. It is sent as half a megabyte."""

Entry = tuple[str, str]
"""A mode, and an object."""


def store(repository: Path, kind: str, data: bytes) -> str:
    """Store an object, and return its name."""
    command = ["git", "hash-object", "-t", kind, "--literally", "-w", "--stdin"]
    return subprocess.run(command, cwd=repository, input=data, capture_output=True, check=True).stdout.decode().strip()


def a_tree(repository: Path, entries: Mapping[str, Entry]) -> Entry:
    """Store a tree."""
    lines = [f"{mode} {name}".encode() + b"\0" + bytes.fromhex(one) for name, (mode, one) in sorted(entries.items())]
    return "40000", store(repository, "tree", b"".join(lines))


def a_wide_bomb(repository: Path) -> Entry:
    """Store a tree in which every entry is the same tree, at each level, down to a file."""
    one = "100644", store(repository, "blob", b"nothing\n")
    for _ in range(LEVELS):
        one = a_tree(repository, {f"{number:02}.yaml": one for number in range(WIDTH)})
    return one


def a_deep_bomb(repository: Path) -> Entry:
    """Store a tree in which many names lead to the same chain of directories."""
    one = "100644", store(repository, "blob", b"nothing\n")
    for _ in range(DEEP):
        one = a_tree(repository, {"d": one})
    return a_tree(repository, {str(number): one for number in range(CHAINS)})


def a_heavy_bomb(repository: Path) -> Entry:
    """Store a tree in which one large file has many names."""
    one = "100644", store(repository, "blob", b"# nothing\n" * (HEAVY // 10))
    return a_tree(repository, {f"{number}.yaml": one for number in range(NAMES)})


BOMBS = {"wide": a_wide_bomb, "deep": a_deep_bomb, "heavy": a_heavy_bomb}


class Field:
    """A repository whose specs request the cancel of one job, and an attacker who commits next."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.remote = a_remote(root / "remote.git")
        self.clone = a_clone(self.remote, root / "ada")
        self.checkout = Checkout(self.clone.root, sandbox.environ)
        (self.job_id,) = sandbox.create(1)
        self.checkout.name_provider()
        self.checkout.want("runaway", self.job_id)
        self.begun = self.clone.commit("Stop the runaway")

    def plant(self, bomb: str, inside: str) -> None:
        """Commit a bomb below the specs without checking it out, because the disk cannot hold it."""
        root = self.clone.root
        specs = dict(self._entries("HEAD:specs"))
        planted = BOMBS[bomb](root)
        specs[inside.partition("/")[0]] = a_tree(root, {"bomb": planted}) if "/" in inside else planted
        self._commit(a_tree(root, {"specs": a_tree(root, specs)})[1], "Add some files")

    def tidy_up(self) -> None:
        """Commit the tree from before the attack. The approval line makes reconcile read the last commits."""
        self._commit(self.clone.git("rev-parse", f"{self.begun}^{{tree}}"), "Tidy up\n\nApprove-Cancels: 3")

    def run(self, *arguments: str) -> Ran:
        """Run a command with a memory limit for it and its child processes. Raises an error if it takes too long."""
        with self.checkout.start(*arguments) as process:
            resource.prlimit(process.pid, resource.RLIMIT_AS, (MEMORY_MAX, MEMORY_MAX))
            return finished(process, ENDS_WITHIN_S)

    def _entries(self, tree: str) -> list[tuple[str, Entry]]:
        found = (line.partition("\t") for line in self.clone.git("ls-tree", tree).splitlines())
        return [(name, (facts.split()[0].lstrip("0"), facts.split()[2])) for facts, _, name in found]

    def _commit(self, tree: str, message: str) -> None:
        self.clone.git("update-ref", "HEAD", self.clone.git("commit-tree", tree, "-p", "HEAD", "-m", message))


@pytest.fixture
def field(tmp_path: Path, sandbox: Sandbox) -> Field:
    return Field(tmp_path, sandbox)


@pytest.mark.sampled(1)
@pytest.mark.parametrize("bomb", BOMBS)
def test_an_oversized_file_in_a_remote_is_not_read_and_does_not_stop_the_watch(field: Field, bomb: str) -> None:
    field.plant(bomb, "bomb")
    field.clone.push()
    ran = field.run("--once", "--git-url", field.remote.as_uri())
    asked = field.sandbox.cancels(field.job_id)
    field.tidy_up()
    field.clone.push()
    after = field.run("--once", "--git-url", field.remote.as_uri())

    assert ran.code == 65
    assert "cannot be read: " in ran.err
    assert asked == []
    assert after.code == 0, after.err
    assert field.sandbox.cancels(field.job_id) == [field.job_id]


@pytest.mark.sampled(1)
@pytest.mark.parametrize("where", ["checkout", "remote"])
def test_an_oversized_file_in_the_spec_history_approves_nothing_and_delays_nothing(field: Field, where: str) -> None:
    field.plant("wide", "bomb")
    field.tidy_up()
    field.clone.push()
    ran = field.run("--once", *(["--git-url", field.remote.as_uri()] if where == "remote" else []))

    assert ran.code == 0, ran.err
    assert "approvals in commits are ignored, because Git failed" in ran.out + ran.err
    assert field.sandbox.cancels(field.job_id) == [field.job_id]


@pytest.mark.long
def test_an_oversized_status_in_the_history_does_not_hide_the_requests_of_the_hour(field: Field) -> None:
    field.plant("wide", "status")
    field.tidy_up()
    ran = field.run("--once")

    assert ran.code == 3
    assert "cannot be counted" in ran.out + ran.err
    assert field.sandbox.cancels(field.job_id) == []


@pytest.mark.long
def test_validate_rejects_a_pull_request_with_an_oversized_status(field: Field) -> None:
    field.plant("wide", "status")
    field.tidy_up()
    ran = field.run("validate", "--since", field.begun)

    assert ran.code == 64
    assert "cannot be checked" in ran.err


def test_an_oversized_status_branch_blocks_every_request(field: Field) -> None:
    field.clone.push()
    bomb = field.clone.git("commit-tree", a_wide_bomb(field.clone.root)[1], "-m", "reconcile: nothing")
    field.clone.git("push", "--quiet", "origin", f"{bomb}:refs/heads/statuses")
    ran = field.run("--once", "--push", "--status-branch", "statuses")

    assert ran.code == 78
    assert "prints more than 64 MiB" in ran.err
    assert field.sandbox.cancels(field.job_id) == []


@pytest.mark.long
def test_a_commit_larger_than_the_limit_is_not_fetched(field: Field, tmp_path: Path) -> None:
    tree, before = field.clone.git("rev-parse", "HEAD^{tree}", "HEAD").split()
    who = f"Ada <ada@example.org> {int(time.time())} +0000"
    head = f"tree {tree}\nparent {before}\nauthor {who}\ncommitter {who}\n\nApprove-Cancels: 9\n"
    commit = store(field.remote, "commit", head.encode() + b"long " * (LONG // 5))
    field.clone.push()
    subprocess.run(["git", "update-ref", "refs/heads/main", commit], cwd=field.remote, check=True)
    with git_daemon(tmp_path) as url:
        ran, peak = watched(field.checkout, "--once", "--git-url", f"{url}/{field.remote.name}")

    assert ran.code == 78
    assert "the specs cannot be fetched" in ran.err
    assert peak < CONTAINER
    assert field.sandbox.cancels(field.job_id) == []


def test_a_git_server_that_offers_endless_branches_is_abandoned(field: Field) -> None:
    with branches_without_end() as url:
        ran, peak = watched(field.checkout, "--once", "--git-url", url)

    assert ran.code == 78
    assert "the specs cannot be fetched" in ran.err
    assert peak < CONTAINER


def watched(checkout: Checkout, *arguments: str) -> tuple[Ran, int]:
    """Run a command, and return its result and the peak memory of it and its child processes."""
    with checkout.start(*arguments) as process, memory_of(process.pid) as memory:
        return finished(process, 2 * ENDS_WITHIN_S), memory.peak


@contextmanager
def branches_without_end() -> Iterator[str]:
    """Serve a repository whose list of branches never ends, as fast as it is read."""

    class Offers(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            head = _line("# service=git-upload-pack\n") + b"0000" + _line(f"{'1' * 40} HEAD\0 side-band-64k\n")
            with suppress(OSError):
                self._say(head)
                for first in count(1, 1_000):
                    lines = (
                        f"{number:040x} refs/heads/{'x' * 900}{number}\n" for number in range(first, first + 1_000)
                    )
                    self._say(b"".join(map(_line, lines)))

        def _say(self, data: bytes) -> None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))

    server = ThreadingHTTPServer(("127.0.0.1", 0), Offers)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}/endless.git"


def _line(text: str) -> bytes:
    """Return a line of Git's protocol."""
    return f"{len(text) + 4:04x}{text}".encode()
