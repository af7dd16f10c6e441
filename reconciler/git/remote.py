"""A branch of a Git remote as a source of specs: known by its URL alone, and never checked out.

Rules: one commit at a time is read, whole; what is fetched is data. A branch that was rewound is read and not acted on
until an operator accepts where it is now. A remote that is away is told, and the last commit goes on being read.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from reconciler.formats.spec_parser import read_documents
from reconciler.formats.yaml_text import Parse, parse
from reconciler.git.approvals import Approving, in_force, read_approvals
from reconciler.git.author import Signature
from reconciler.git.checkout import read_origin
from reconciler.git.command import FETCHED_MAX, Git, GitError
from reconciler.git.commit_tree import TreeDisk
from reconciler.git.publisher import GitPublisher
from reconciler.git.remote_credentials import GitAccess
from reconciler.git.status_branch import StatusBranch
from reconciler.local.disk import LocalDisk
from reconciler.local.specs_dir import SpecsDir
from reconciler.model.spec import FineTuningJob
from reconciler.model.status import Origin
from reconciler.ports import Now, Snapshot

REF = "refs/reconcile/specs"
DEPTH = 1000
"""How much history the first fetch brings; the rest comes once somebody needs it."""
_WOULD_ASK = "terminal prompts disabled"
_WITHOUT_LARGE = "--filter=blob:limit=8m"


def open_remote(directory: Path, access: GitAccess, is_stopping: Callable[[], bool] = lambda: False) -> Git:
    """Return a bare repository that has a remote for its origin. Raises `GitError`, or OSError."""
    directory.mkdir(parents=True, exist_ok=True)
    git = Git(directory, access, is_stopping)
    if not (directory / "HEAD").exists():
        git.run("init", "--quiet", "--bare", "--template=", "--initial-branch=none", ".")
    _remove_torn(git)
    git.forget_promises()
    git.run("config", "remote.origin.url", access.url)
    return git


def _remove_torn(git: Git) -> int:
    """Remove what fetches that were ended have left, and return the size of the largest."""
    left = list(git.directory.glob("objects/pack/tmp_*"))
    size = max((file.stat().st_size for file in left), default=0)
    for file in left:
        file.unlink(missing_ok=True)
    return size


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
        parse: how a file is read.
        accepted: a commit that an operator accepts, though the branch was rewound to it; once.
    """

    git: Git
    ref: str
    inside: str
    statuses: str | None
    memory: Path
    now: Now
    parse: Parse = parse
    accepted: str | None = None
    head: str | None = None
    """The newest commit that was fetched."""
    away: str | None = None
    """Why the remote could not be asked the last time."""
    _disk: TreeDisk = field(init=False)
    _specs: SpecsDir = field(init=False)
    _approved: tuple[str | None, tuple[Approving, ...]] = (None, ())
    _is_whole: bool = False
    """Whether all of the branch's history was asked for."""
    _polling: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        """Begin with nothing read."""
        root = Path("/", self.inside)
        self._disk = TreeDisk(self.git, self.inside, root)
        self._specs = SpecsDir(root, root / "status", self._disk, self.inside or ".", self.parse)

    def poll(self) -> bool:
        """Ask the remote where the branch is, and fetch it if it moved. Returns whether it did; never raises."""
        with self._polling:
            try:
                tip = self._ask()
            except GitError as error:
                self.away = self._explained(str(error))
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
        try:
            data = self.git.run("cat-file", "blob", f"{self.head}:{self._path(file)}")
        except GitError:
            return None
        jobs = read_documents(data, file=file, shown=file).jobs
        found = [each.document for each in jobs if each.document.metadata.name == name]
        return found[0] if len(found) == 1 else None

    def is_as_read(self) -> bool:
        """Whether the newest commit has the Settings that were read."""
        paths, read = [self._path(each) for each in self._specs.settings_files], self._disk.commit
        if self.head == read or not paths:
            return True
        return self.git.find("diff", "--quiet", f"{read}..{self.head}", "--", *paths) is not None

    def origin(self, file: str) -> Origin | None:
        """Return who last changed a file."""
        path = self._path(file)
        commit = self._disk.commit or REF
        found = read_origin(self.git, commit, path)
        if found is not None and self._is_cut_off(found.commit) and self._deepen():
            found = read_origin(self.git, commit, path)
        return None if found is None or self._is_cut_off(found.commit) else found

    def _path(self, file: str) -> str:
        """Return where a spec file stands in the tree."""
        return f"{self.inside}/{file}" if self.inside else file

    def _ask(self) -> str:
        """Return where the branch is, fetched. Raises `GitError`."""
        name = f"refs/heads/{self.ref}"
        tips = dict(line.split("\t")[::-1] for line in self.git.text("ls-remote", "origin", name).splitlines())
        if name not in tips:
            msg = f"it has no branch {self.ref!r}"
            raise GitError(msg)
        if tips[name] == self.head:
            return self.head
        self._fetch(*(() if self.git.find("rev-parse", "--verify", "--quiet", REF) else (f"--depth={DEPTH}",)))
        return self.git.text("rev-parse", "--verify", REF)

    def _explained(self, complaint: str) -> str:
        """Return what Git says, and what to do about it where Git would have asked a person."""
        if _WOULD_ASK not in complaint:
            return complaint
        is_given = self.git.access is not None and self.git.access.is_given
        told = "it refuses the token" if is_given else "it wants a token: --git-token-file, or RECONCILE_GIT_TOKEN"
        return f"{told} ({complaint})"

    def _fetch(self, *how: str) -> None:
        wanted = f"+refs/heads/{self.ref}:{REF}"
        options = ("--quiet", "--no-tags", "--no-recurse-submodules", _WITHOUT_LARGE)
        try:
            self.git.run("fetch", *options, *how, "origin", wanted, file_max=FETCHED_MAX)
        except GitError as error:
            if _remove_torn(self.git) < FETCHED_MAX:
                raise
            msg = f"the branch {self.ref!r} brings more than {FETCHED_MAX // 1024**2} MiB, which is no branch of specs"
            raise GitError(msg) from error

    def _deepen(self) -> bool:
        """Fetch the history that the first fetch left out. Returns whether it came."""
        with self._polling:
            if self._is_whole:
                return False
            self._is_whole = True
            try:
                self._fetch("--unshallow")
            except GitError:
                return False
            return True

    def _is_cut_off(self, commit: str) -> bool:
        """Whether history ends at a commit only because the rest was not fetched: it seems to have made everything."""
        try:
            ends = (self.git.directory / "shallow").read_text(encoding="ascii").split()
        except FileNotFoundError:
            return False
        return any(each.startswith(commit) for each in ends)

    def _rewound(self, commit: str) -> str | None:
        before = self.memory.read_text(encoding="ascii").strip() if self.memory.exists() else None
        if before in (None, commit):
            return None
        if self.accepted and commit.startswith(self.accepted):
            self.accepted = None
            return None
        if self._comes_after(commit, before or "") or (self._deepen() and self._comes_after(commit, before or "")):
            return None
        return (
            f"the branch {self.ref} was rewound: {commit[:12]} does not come after {str(before)[:12]}; "
            f"if that is meant, --accept-revision {commit[:12]}"
        )

    def _comes_after(self, commit: str, before: str) -> bool:
        return self.git.find("merge-base", "--is-ancestor", before, commit) is not None

    def _remember(self, commit: str) -> None:
        beside = self.memory.with_name(f"{self.memory.name}.new")
        disk = LocalDisk(self.memory.parent)
        disk.write(beside, f"{commit}\n".encode())
        disk.sync(beside)
        disk.rename(beside, self.memory)

    def _approvals(self, commit: str) -> tuple[Approving, ...]:
        if self._approved[0] != commit:
            found = read_approvals(self.git, commit, self.inside, self.statuses, self.now())
            self._approved = (commit, tuple(each for each in found if not self._is_cut_off(each.commit)))
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
            fetching=(_WITHOUT_LARGE,),
        )
    )
