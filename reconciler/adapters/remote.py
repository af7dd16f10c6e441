"""A branch of a Git remote as a source of specs: known by its URL alone, and never checked out.

Rules: one commit at a time is read, whole; what is fetched is data. A branch that was rewound is read and not acted on
until an operator accepts where it is now. A remote that is away is told, and the last commit goes on being read. A
credential goes to Git by its environment, so that no list of processes shows it.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.adapters.approvals import Approving, in_force, read_approvals
from reconciler.adapters.checkout import read_origin
from reconciler.adapters.documents import read_documents
from reconciler.adapters.git import Git, GitError
from reconciler.adapters.publish import GitPublisher
from reconciler.adapters.specs_dir import SpecsDir
from reconciler.adapters.status_branch import Signature, StatusBranch
from reconciler.adapters.tree import NOT_LAZY, TreeDisk
from reconciler.adapters.watch import running
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

REF = "refs/reconcile/specs"
_LEFT_OUT = "blob:limit=8m"


def authorisation(token: str | None) -> dict[str, str]:
    """Return the environment that makes Git send a token to an HTTP remote."""
    if token is None:
        return {}
    basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "http.extraHeader",
        "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
    }


def open_remote(directory: Path, url: str, token: str | None) -> Git:
    """Return a bare repository that has a URL for its origin. Raises `GitError`, or OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    git = Git(directory, authorisation(token))
    if not (directory / "HEAD").exists():
        git.run("init", "--quiet", "--bare", "--initial-branch=none", ".")
    git.run("config", "remote.origin.url", url)
    return git


@dataclass(slots=True)
class RemoteSpecs:
    """The `SpecSource` of a branch of a remote.

    Args:
        git: a bare repository, from `open_remote`.
        ref: the branch.
        inside: the specs directory in its tree.
        statuses: where statuses stand in its tree, if they do.
        memory: the file that remembers which commit was acted on last.
        now: the wall clock.
        accepted: a commit that an operator accepts, though the branch was rewound to it.
    """

    git: Git
    ref: str
    inside: str
    statuses: str | None
    memory: Path
    now: Now
    accepted: str | None = None
    head: str | None = None
    """The newest commit that was fetched."""
    away: str | None = None
    """Why the remote could not be asked the last time."""
    _disk: TreeDisk = field(init=False)
    _specs: SpecsDir = field(init=False)
    _approved: tuple[str | None, tuple[Approving, ...]] = (None, ())

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        root = Path("/", self.inside)
        self._disk = TreeDisk(self.git, self.inside, root)
        self._specs = SpecsDir(root, root / "status", self._disk, self.inside or ".")

    def poll(self) -> bool:
        """Ask the remote where the branch is, and fetch it if it moved. Returns whether it did; never raises."""
        try:
            listed = self.git.text("ls-remote", "origin", f"refs/heads/{self.ref}")
            tip = listed.split("\t")[0]
            if not tip:
                self.away = f"the remote has no branch {self.ref!r}"
                return False
            if tip != self.head:
                self._fetch()
                tip = self.git.text("rev-parse", "--verify", REF)
        except GitError as error:
            self.away = str(error)
            return False
        has_moved, self.head, self.away = tip != self.head, tip, None
        return has_moved

    def snapshot(self, *, by_content: bool = True) -> Snapshot:
        """Read the newest commit that was fetched."""
        if self.head is None:
            return Snapshot(broken_files=frozenset({""}), notices=self._notices(), distrust="nothing was fetched yet")
        commit = self.head
        try:
            self._disk.turn_to(commit)
        except GitError as error:
            return Snapshot(broken_files=frozenset({""}), revision=commit, distrust=f"it cannot be read: {error}")
        found = self._specs.snapshot(by_content=by_content)
        distrust = self._rewound(commit)
        if distrust is None:
            self._remember(commit)
        return replace(
            found,
            revision=commit,
            distrust=distrust,
            approvals=in_force(self._approvals(commit), found.jobs, self.now()),
            notices=self._notices(),
        )

    def current(self, file: str, name: str) -> FineTuningJob | None:
        """Return a job document as the newest commit has it."""
        if self.head == self._disk.commit:
            return self._specs.current(file, name)
        path = f"{self.inside}/{file}" if self.inside else file
        try:
            data = self.git.run(*NOT_LAZY, "cat-file", "blob", f"{self.head}:{path}")
        except GitError:
            return None
        jobs = read_documents(data, file=file, shown=file).jobs
        found = [each.document for each in jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def origin(self, file: str) -> Origin | None:
        """Return who last changed a file."""
        path = f"{self.inside}/{file}" if self.inside else file
        return read_origin(self.git, self._disk.commit or REF, path)

    def _fetch(self) -> None:
        wanted = f"+refs/heads/{self.ref}:{REF}"
        self.git.run(
            "fetch", "--quiet", "--no-tags", "--no-recurse-submodules", f"--filter={_LEFT_OUT}", "origin", wanted
        )

    def _rewound(self, commit: str) -> str | None:
        before = self.memory.read_text(encoding="ascii").strip() if self.memory.exists() else None
        if before in (None, commit) or (self.accepted and commit.startswith(self.accepted)):
            return None
        if self.git.find("merge-base", "--is-ancestor", before or "", commit) is not None:
            return None
        return (
            f"the branch {self.ref} was rewound: {commit[:12]} does not come after {str(before)[:12]}; "
            f"if that is meant, --accept-revision {commit[:12]}"
        )

    def _remember(self, commit: str) -> None:
        beside = self.memory.with_name(f"{self.memory.name}.new")
        beside.write_text(f"{commit}\n", encoding="ascii")
        beside.replace(self.memory)

    def _approvals(self, commit: str) -> tuple[Approving, ...]:
        if self._approved[0] != commit:
            self._approved = (commit, read_approvals(self.git, commit, self.inside, self.statuses, self.now()))
        return self._approved[1]

    def _notices(self) -> tuple[str, ...]:
        return () if self.away is None else (f"the remote of the specs is away: {self.away}",)


def publish_to_remote(
    specs: RemoteSpecs, directory: Path, branch: str | None, signature: Signature, trailers: tuple[str, ...]
) -> GitPublisher:
    """Return the publisher to the remote that the specs come from.

    Args:
        specs: that remote.
        directory: where the statuses stand on the disk.
        branch: a branch that holds nothing else; None is the specs' own.
        signature: who commits.
        trailers: lines at the end of each message.
    """
    prefix = "" if branch is not None else specs.statuses or "status"
    return GitPublisher(
        StatusBranch(
            specs.git,
            branch or specs.ref,
            prefix,
            directory.resolve(),
            "origin",
            signature,
            trailers,
            read_again=specs.poll,
            specs=None if branch is None else REF,
        )
    )


@dataclass(slots=True)
class RemoteWaker:
    """The `Waker` of a remote: asks it every few seconds."""

    specs: RemoteSpecs
    every_s: float
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_alive(self) -> bool:
        """Whether the remote answered the last time."""
        return self.specs.away is None

    async def wait(self) -> None:
        """Return after the branch has moved."""
        await self._changed.wait()
        self._changed.clear()

    async def follow(self) -> None:
        """Ask for ever."""
        while True:
            await asyncio.sleep(self.every_s)
            if await asyncio.to_thread(self.specs.poll):
                self._changed.set()


@asynccontextmanager
async def polling(specs: RemoteSpecs, every_s: float) -> AsyncIterator[RemoteWaker]:
    """Ask the remote every few seconds while the body runs."""
    waker = RemoteWaker(specs, every_s)
    async with running(waker.follow()):
        yield waker
