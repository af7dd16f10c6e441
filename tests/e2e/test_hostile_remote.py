"""A remote with hostile authors: its contents are data, and need only limited time and disk space.

With `--long`, the large blob has a gigabyte, and another one cannot be compressed.
"""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.cli import SPEC, Checkout, Ran, finished
from tests.support.repositories import ADA, Clone, a_remote
from tests.support.sandbox_client import Sandbox

MANY = 100_000
HUGE, HUGE_LONG = 64 * 1024**2, 1024**3
INCOMPRESSIBLE = 600 * 1024**2
DISK_AT_MOST = 40 * 1024**2
ENDS_WITHIN_S = 120
PIECE = 1024**2
COMMAND = "touch {owned}"
CONFIG = """\
[core]
\tfsmonitor = {command}
\thooksPath = hooks
\tsshCommand = {command}
[filter "lfs"]
\tsmudge = {command}
\tclean = {command}
\tprocess = {command}
\trequired = true
[diff "evil"]
\ttextconv = {command}
"""
ATTRIBUTES = "* filter=lfs diff=evil merge=evil\n"
MODULES = '[submodule "x"]\n\tpath = specs/x\n\turl = ext::sh -c {command}\n\tupdate = !{command}\n'


@dataclass(slots=True)
class Enemy:
    """An author who writes Git objects that Git itself would not create."""

    remote: Path
    tree: dict[str, tuple[str, str]]
    """The mode and object of each entry, by its name in the specs directory."""

    def blob(self, data: bytes) -> str:
        """Store bytes."""
        return self._store("blob", data)

    def add(self, name: str, data: str, mode: str = "100644") -> None:
        """Add a file to the specs directory."""
        self.tree[name] = (mode, self.blob(data.encode("utf-8", "surrogateescape")))

    def make_tree(self, entries: dict[str, tuple[str, str]]) -> str:
        """Store a tree, whatever the names in it are."""
        lines = [
            f"{mode.lstrip('0')} {name}".encode("utf-8", "surrogateescape") + b"\0" + bytes.fromhex(one)
            for name, (mode, one) in sorted(
                entries.items(), key=lambda each: each[0].encode("utf-8", "surrogateescape")
            )
        ]
        return self._store("tree", b"".join(lines))

    def commit(self, branch: str, top: dict[str, tuple[str, str]]) -> None:
        """Commit this tree, and let a branch point to the commit."""
        told = ["commit-tree", self.make_tree(top), "-m", "Try everything"]
        self._git("update-ref", f"refs/heads/{branch}", self._git(*told).strip())

    def many(self, number: int) -> str:
        """Store a tree with this many files."""
        one = self.blob(b"nothing\n")
        return self.make_tree({f"{each:06}.txt": ("100644", one) for each in range(number)})

    def huge(self, number: int, piece: Callable[[], bytes]) -> str:
        """Store a blob of this many bytes without holding it in memory."""
        command = ["git", "fast-import", "--quiet"]
        with subprocess.Popen(command, cwd=self.remote, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write(f"blob\nmark :1\ndata {number}\n".encode())
            for _ in range(number // PIECE):
                process.stdin.write(piece())
            process.stdin.write(b"\nget-mark :1\ndone\n")
            process.stdin.close()
            return process.stdout.readline().decode().strip()

    def _store(self, kind: str, data: bytes) -> str:
        return self._git("hash-object", "-t", kind, "--literally", "-w", "--stdin", data=data).strip()

    def _git(self, *arguments: str, data: bytes = b"") -> str:
        environ = {"PATH": os.environ["PATH"], **ADA}
        ran = subprocess.run(
            ["git", *arguments], cwd=self.remote, input=data, env=environ, capture_output=True, check=True
        )
        return ran.stdout.decode()


@pytest.fixture
def enemy(tmp_path: Path) -> Enemy:
    return Enemy(a_remote(tmp_path / "remote.git"), {})


@pytest.fixture
def runner(tmp_path: Path, sandbox: Sandbox) -> Checkout:
    root = tmp_path / "runner"
    root.mkdir()
    return Checkout(root, sandbox.environ)


def reconcile(runner: Checkout, enemy: Enemy, *more: str) -> Ran:
    with runner.start("--once", "--git-url", enemy.remote.as_uri(), *more) as process:
        return finished(process, ENDS_WITHIN_S)


def disk_of(runner: Checkout) -> int:
    return sum(path.lstat().st_size for path in runner.root.rglob("*"))


def traps(secret: Path, owned: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the name, mode and contents of each file that might make Git or reconcile run something."""
    command = COMMAND.format(owned=owned)
    yield ".gitattributes", "100644", ATTRIBUTES
    yield ".gitmodules", "100644", MODULES.format(command=command)
    yield ".lfsconfig", "100644", CONFIG.format(command=command)
    yield "config", "100644", CONFIG.format(command=command)
    yield "post-checkout", "100755", f"#!/bin/sh\n{command}\n"
    yield "-rf", "100644", "- rf\n"
    yield "--upload-pack=touch owned.yaml", "100644", "not: a spec\n"
    yield "link.yaml", "120000", str(secret)
    yield "up.yaml", "120000", f"../../../../../..{secret}"
    yield "directory", "120000", "/"
    yield "new\nline.yaml", "100644", "not: a spec\n"
    yield "escape\x1b[2J.yaml", "100644", "not: a spec\n"
    yield "\udcff.yaml", "100644", "not: a spec\n"
    yield "lfs.yaml", "100644", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"


def test_a_hostile_remote_runs_no_program_and_reads_no_outside_file(
    enemy: Enemy, runner: Checkout, sandbox: Sandbox, tmp_path: Path
) -> None:
    secret, owned = tmp_path / "secret.yaml", tmp_path / "owned"
    (wanted, stolen) = sandbox.create(2)
    secret.write_text(SPEC.format(name="stolen", provider="openai", job_id=stolen, state="cancelled"))
    enemy.add("wanted.yaml", SPEC.format(name="wanted", provider="openai", job_id=wanted, state="cancelled"))
    for name, mode, text in traps(secret, owned):
        enemy.add(name, text, mode)
    outside = {"secret.yaml": ("100644", enemy.blob(secret.read_bytes()))}
    enemy.tree[".."] = ("40000", enemy.make_tree(outside))
    enemy.tree["x"] = ("160000", "1" * 40)
    specs = ("40000", enemy.make_tree(enemy.tree))
    enemy.commit("main", {"specs": specs, "hooks": specs, ".gitmodules": enemy.tree[".gitmodules"]})
    ran = reconcile(runner, enemy, "--push", "--status-branch", "statuses")

    assert not owned.exists()
    assert ran.code == 65
    assert "specs/link.yaml: it is not read, because it is neither a file nor a directory" in ran.err
    assert "\x1b" not in ran.out + ran.err
    assert sandbox.cancels(wanted, stolen) == [wanted]
    assert [path for path in tmp_path.rglob("*.yaml") if "published" not in path.parts] == [secret]


def test_a_branch_that_cannot_be_committed_to_is_not_acted_on(enemy: Enemy, runner: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    enemy.add("wanted.yaml", SPEC.format(name="wanted", provider="openai", job_id=job_id, state="cancelled"))
    enemy.tree[".."] = ("40000", enemy.make_tree({"outside": enemy.tree["wanted.yaml"]}))
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree))})
    ran = reconcile(runner, enemy, "--push")

    assert ran.code == 70
    assert "could not be published" in ran.err
    assert "invalid path 'specs/../outside'" in ran.err
    assert sandbox.cancels(job_id) == []


def test_a_status_path_that_leads_outside_is_ignored(enemy: Enemy, runner: Checkout, tmp_path: Path) -> None:
    up = enemy.make_tree({"escaped.yaml": ("100644", enemy.blob(b"# escaped\n"))})
    for _ in range(8):
        enemy.commit("statuses", {"..": ("40000", up), "link.yaml": ("120000", enemy.blob(b"/etc/passwd"))})
        up = enemy.make_tree({"..": ("40000", up)})
    enemy.add("nothing.yaml", "")
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree))})
    ran = reconcile(runner, enemy, "--push", "--status-branch", "statuses")

    assert ran.code == 0, ran.err
    assert list(tmp_path.rglob("escaped.yaml")) == []
    assert not [path for path in runner.root.rglob("*") if path.is_symlink()]


@pytest.mark.long
def test_a_remote_with_a_hundred_thousand_files_uses_bounded_time_and_disk(
    enemy: Enemy, runner: Checkout, sandbox: Sandbox, record_property: Callable[[str, object], None]
) -> None:
    (job_id,) = sandbox.create(1)
    enemy.add("wanted.yaml", SPEC.format(name="wanted", provider="openai", job_id=job_id, state="cancelled"))
    enemy.tree["many"] = ("40000", enemy.many(MANY))
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree))})
    begun = time.monotonic()
    ran = reconcile(runner, enemy, "--push")
    record_property(
        "100,000 files beside a spec", f"{time.monotonic() - begun:.1f} s, {disk_of(runner):,} bytes of disk"
    )

    assert ran.code == 0, ran.err
    assert sandbox.cancels(job_id) == [job_id]
    assert disk_of(runner) < DISK_AT_MOST


@pytest.mark.sampled(1)
@pytest.mark.parametrize("has_filter", [True, False])
def test_a_huge_blob_is_not_read(
    has_filter: bool,  # noqa: FBT001  pytest's
    enemy: Enemy,
    runner: Checkout,
    sandbox: Sandbox,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    size = HUGE_LONG if pytestconfig.getoption("--long") else HUGE
    Clone(enemy.remote).git("config", "uploadpack.allowFilter", str(has_filter).lower())
    (job_id,) = sandbox.create(1)
    enemy.add("wanted.yaml", SPEC.format(name="wanted", provider="openai", job_id=job_id, state="cancelled"))
    huge = ("100644", enemy.huge(size, lambda: b"\0" * PIECE))
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree | {"huge.yaml": huge}))})
    begun = time.monotonic()
    as_spec = reconcile(runner, enemy, "--push", "--status-branch", "statuses")
    took_s, asked = time.monotonic() - begun, sandbox.cancels(job_id)
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree | {"huge.bin": huge}))})
    (runner.root / "other").mkdir()
    beside = reconcile(Checkout(runner.root / "other", runner.environ), enemy, "--push", "--status-branch", "statuses")
    record_property(
        f"a blob of {size:,} bytes, {'left out' if has_filter else 'sent'} by the server",
        f"{took_s:.1f} s, {disk_of(runner):,} bytes of disk of two machines",
    )

    assert (as_spec.code, beside.code) == (65, 0)
    assert "specs/huge.yaml: the file cannot be read: File too large" in as_spec.err
    assert asked == [], "a file that is too large may contain any document, so no change is requested"
    assert sandbox.cancels(job_id) == [job_id]
    assert disk_of(runner) < DISK_AT_MOST


@pytest.mark.long
def test_a_branch_that_would_fill_the_disk_is_rejected(enemy: Enemy, runner: Checkout) -> None:
    enemy.tree["huge.bin"] = ("100644", enemy.huge(INCOMPRESSIBLE, lambda: os.urandom(PIECE)))
    enemy.commit("main", {"specs": ("40000", enemy.make_tree(enemy.tree))})
    ran = reconcile(runner, enemy)

    assert ran.code == 78
    assert "the branch is larger than 512 MiB" in ran.err
    assert disk_of(runner) < DISK_AT_MOST
