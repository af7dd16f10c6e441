"""A repository that hostile authors write to, and the traces that a successful attack would leave.

The victims have their own account: one of its jobs must continue, and another job must be cancelled. The commons is an
account that every folder may use, and all of its jobs run. Hostile authors write the other files. An attack was
successful if a command of an author left a file, a directory outside changed, a key was written, or a job was changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import git_objects
from tests.support.cli import SPEC
from tests.support.hostile_host import Ended, Host
from tests.support.hostile_provider import Provider

VICTIMS_KEY, COMMONS_KEY, TOKEN = "sk-canary-Vq81LmT4cWdZx93", "sk-commons-Hd72KsPq05Rt", "ghs_canaryTk20fJw8sBn4"
RUNS, STOPS = "ftjob-victim-runs", "ftjob-victim-stops"
COMMONS = tuple(f"ftjob-commons-{number}" for number in range(10))
BATCH = 8
"""The number of the commons' jobs in a batch, which is more than the guard allows."""
ALLOWED = 3
"""The number of changes that the guard allows."""
JOBS = {VICTIMS_KEY: (RUNS, STOPS), COMMONS_KEY: COMMONS}
FAST = "rateLimit: {requestsPerSecond: 1000, burst: 1000, concurrency: 8}"
PROVIDER = "apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {{name: {name}}}\nspec: {spec}\n"
COMMONS_ACCOUNT = "{{type: openai, baseUrl: 'http://{host}/commons/v1', credentials: {{env: COMMONS_KEY}}{more}}}"
ADA = b"Ada <ada@example.org>"
GITCONFIG = """\
[filter "lfs"]
\tclean = {command}
\tsmudge = {command}
\tprocess = {command}
[diff "lfs"]
\ttextconv = {command}
\tcommand = {command}
[merge "lfs"]
\tdriver = {command}
[user]
\tname = Ada
\temail = ada@example.org
"""


@dataclass(frozen=True, slots=True)
class FileStamp:
    """The properties of a file that change when it is written."""

    mode: int
    size: int
    written_ns: int
    target: str


@dataclass
class HostileRepository:
    """The repository, its environment and the accounts. `root` is renewed for each attack."""

    home: Path
    provider: Provider
    host: Host
    head: str = ""
    _known: git_objects.Known = field(default_factory=dict)

    @property
    def root(self) -> Path:
        """The directory that contains the checkout, the keys, the state directory and the outputs."""
        return self.home / "now"

    @property
    def work(self) -> Path:
        """The checkout."""
        return self.root / "work"

    @property
    def specs(self) -> Path:
        """The specs directory."""
        return self.work / "specs"

    @property
    def statuses(self) -> Path:
        """The tree of statuses."""
        return self.specs / "status"

    @property
    def git_dir(self) -> Path:
        """The checkout's repository."""
        return self.work / ".git"

    @property
    def outside(self) -> Path:
        """A directory that no command may change."""
        return self.root / "outside"

    @property
    def canary(self) -> Path:
        """The file that exists once a command of an attacker has run."""
        return self.root / "canary"

    @property
    def command(self) -> str:
        """A shell command that writes its environment to the canary, and succeeds."""
        return f"env > {self.canary} #"

    @property
    def secrets(self) -> Path:
        """The directory of the files with keys."""
        return self.root / "secrets"

    def lay_out(self) -> None:
        """Create the state before an attack: a pass has observed every job, and no change was due."""
        for each in (self.specs / "victims", self.specs / "commons", self.outside, self.secrets, self.root / "home"):
            each.mkdir(parents=True)
        (self.outside / "precious").write_text("precious\n", encoding="utf-8")
        (self.root / "audit.jsonl").write_text('{"precious": true}\n', encoding="utf-8")
        (self.secrets / "key").write_text(f"{VICTIMS_KEY}\n", encoding="utf-8")
        (self.root / "home" / ".gitconfig").write_text(GITCONFIG.format(command=self.command), encoding="utf-8")
        own = PROVIDER.format(name="research", spec=f"{{type: openai, allowedPaths: [victims/**], {FAST}}}")
        shared = COMMONS_ACCOUNT.format(host=self.provider.host, more=f", {FAST}")
        (self.specs / "victims" / "provider.yaml").write_text(own, encoding="utf-8")
        (self.specs / "commons" / "provider.yaml").write_text(PROVIDER.format(name="commons", spec=shared))
        self.want("victims/runs.yaml", "research", RUNS, "running")
        self.want("victims/stops.yaml", "research", STOPS, "observed")
        for number in range(len(COMMONS)):
            self.want_of_commons(number, "observed")
        git = ["git", "-C", str(self.work)]
        subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
        shutil.rmtree(self.git_dir / "hooks", ignore_errors=True)
        subprocess.run([*git, "add", "--all"], check=True)
        who = {"GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "a@x.org", "PATH": os.environ["PATH"]}
        who |= {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "a@x.org"}
        subprocess.run([*git, "commit", "--quiet", "--message", "Watch them"], check=True, env=who)
        ended = self.run("--once", "--commit")
        assert ended.code == 0, ended.told
        # `renew` copies one pack faster than a hundred loose objects.
        subprocess.run([*git, "repack", "-a", "-d", "--quiet"], check=True)
        self.root.rename(self.home / "before")

    def renew(self) -> None:
        """Restore the state before an attack, forget all requests, and request the cancel of one victim's job."""
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.home / "before", self.root, symlinks=True, copy_function=shutil.copyfile)
        self.provider.forget()
        self._known.clear()
        self.head = (self.git_dir / "refs" / "heads" / "main").read_text(encoding="ascii").strip()
        self.want("victims/stops.yaml", "research", STOPS, "cancelled")
        self.commit(b"Stop it\n")

    def want(self, file: str, provider: str, job: str, state: str) -> None:
        """Write the spec of a job."""
        path = self.specs / file
        path.write_text(SPEC.format(name=path.stem, provider=provider, job_id=job, state=state), encoding="utf-8")

    def want_of_commons(self, number: int, state: str) -> None:
        """Write the spec of one of the commons' jobs."""
        self.want(f"commons/common-{number}.yaml", "commons", COMMONS[number], state)

    def commit(
        self,
        message: bytes,
        author: bytes = ADA,
        date: bytes = b"",
        more: bytes = b"",
        besides: git_objects.Tree | None = None,
    ) -> str:
        """Commit the files of the specs directory and the entries in `besides`, and return the commit."""
        when = date or f"{int(time.time())} +0000".encode()
        files = git_objects.take(self.git_dir, str(self.work), str(self.specs), self._known) | (besides or {})
        tree = git_objects.write_tree(self.git_dir, files)
        self.head = git_objects.write_commit(self.git_dir, tree, self.head, message, author, when, more)
        return self.head

    def run(self, *arguments: str) -> Ended:
        """Run the command in the checkout, as an operator with all of the keys."""
        here = self.provider.host
        names = ("COMMONS_KEY", "OPENAI_API_KEY", "OTHER_NAME", self.secrets / "key", self.secrets / "link")
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "OPENAI_API_KEY": VICTIMS_KEY,
            "OPENAI_BASE_URL": f"http://{here}/v1",
            "OTHER_NAME": VICTIMS_KEY,
            "COMMONS_KEY": COMMONS_KEY,
            "GITHUB_TOKEN": TOKEN,
            "RECONCILE_TRUST": ",".join(f"{each}={here}" for each in names),
            "RECONCILE_SECRETS_DIR": str(self.secrets),
        }
        asked = (*arguments, "--state-dir", str(self.root / "state"))
        return self.host.run(asked, self.work, environ, self.root / "log")

    def stamps(self) -> dict[str, FileStamp]:
        """Return the stamp of every file that no attack may change, by path."""
        ours = {self.statuses, self.root / "state", self.git_dir, self.root / "audit.jsonl", self.root / "plan.json"}
        found = {}
        waiting = [self.root]
        while waiting:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if Path(entry.path) in ours:
                        continue
                    facts = entry.stat(follow_symlinks=False)
                    target = str(Path(entry.path).readlink()) if entry.is_symlink() else ""
                    is_folder = entry.is_dir(follow_symlinks=False)
                    found[entry.path] = FileStamp(
                        facts.st_mode, 0 if is_folder else facts.st_size, 0 if is_folder else facts.st_mtime_ns, target
                    )
                    if is_folder:
                        waiting.append(Path(entry.path))
        refs = [self.git_dir / "HEAD", self.git_dir / "config", self.git_dir / "refs" / "heads" / "main"]
        return found | {str(each): FileStamp(0, 0, each.stat().st_mtime_ns, each.read_text()) for each in refs}

    def written(self) -> str:
        """Return the contents of the files that the command may write."""
        places: Sequence[Path] = (self.statuses, self.root / "state")
        files = [path for place in places if not place.is_symlink() for path in place.rglob("*")]
        files += [self.root / "audit.jsonl", self.root / "plan.json"]
        plain = (path for path in files if not path.is_symlink() and path.is_file())
        return "\n".join(path.read_text(encoding="utf-8", errors="replace") for path in plain)
