"""What a person asks for on the command line: where, which jobs, how carefully."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.controller.reconcile import Orders
from reconciler.controller.spec_resolver import Candidate
from reconciler.core import guard
from reconciler.model.pinned_plan import PinnedPlan


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A branch of a Git remote that holds the specs."""

    url: str
    """Without a password."""
    ref: str
    path: str
    """The specs directory in its tree, with `/`."""
    poll_s: float
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    """What stood in the URL."""
    token_file: Path | None = None
    accepted: str | None = None
    """A commit that is acted on though the branch was rewound to it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything is. Directories that are None are the usual ones."""

    specs: Path
    status_dir: Path | None = None
    state_dir: Path | None = None
    audit: Path | None = None
    """The file that every request that changes something is recorded in; None keeps no record but the receipts."""
    remote: GitRemote | None = None
    """Where the specs are fetched from; `specs` is then the directory in that tree."""

    @property
    def shown(self) -> str:
        """Return where the specs are, as a person would say it."""
        remote = self.remote
        return str(self.specs) if remote is None else f"{remote.url} {remote.ref}:{remote.path}"

    @property
    def identity(self) -> Path:
        """What tells this place from others, so that each has a state directory of its own."""
        remote = self.remote
        return self.specs if remote is None else Path("/", remote.url.replace("/", "_"), remote.ref, remote.path)

    @property
    def statuses(self) -> Path:
        """Where statuses are kept."""
        return self.status_dir or self.specs / "status"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which specs are meant; an empty one means all."""

    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    provider: str | None = None
    is_retry: bool = False
    """The next attempt of what is named is due now."""

    def predicate(self) -> Callable[[Candidate], bool] | None:
        """Return whether a spec is meant, or None where all are."""
        return self._holds if self.names or self.labels or self.provider else None

    def _holds(self, candidate: Candidate) -> bool:
        if self.names and candidate.name not in self.names:
            return False
        if not (self.labels or self.provider):
            return True
        if candidate.document is None:
            return False
        document = candidate.document.document
        labels = document.metadata.labels
        return all(labels.get(key) == value for key, value in self.labels) and (
            self.provider in (None, document.spec.provider)
        )


@dataclass(frozen=True, slots=True)
class Brakes:
    """What the operator sets of the brakes, and what he approves. What is None is as usual."""

    allow_cancels: int | None = None
    allow_names: frozenset[str] = frozenset()
    pinned: PinnedPlan | None = None
    """The plan that he approved: the only changes that may be made."""
    max_cancels: int | None = None
    max_cancel_percent: int | None = None
    max_cancels_absolute: int | None = None
    suspend: bool = False

    def limits(self) -> guard.Brakes:
        """Return the operator's limits."""
        usual = guard.Brakes()
        return guard.Brakes(
            usual.max_cancels if self.max_cancels is None else self.max_cancels,
            usual.max_cancel_percent if self.max_cancel_percent is None else self.max_cancel_percent,
            usual.max_cancels_absolute if self.max_cancels_absolute is None else self.max_cancels_absolute,
        )


@dataclass(frozen=True, slots=True)
class TrustSources:
    """What the operator says of credentials, besides the environment."""

    files: tuple[Path, ...] = ()
    secret_dirs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long `--once` goes on."""

    timeout_s: float
    """How long what failed in passing is tried again."""
    wait_s: float | None = None
    """How long what is on its way is waited for; None does not wait."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """Whether statuses become commits, and where."""

    is_committed: bool = False
    is_pushed: bool = False
    status_branch: str | None = None
    """A branch that holds nothing else; None is the branch of the specs."""
    remote: str = "origin"
    author: str = "reconcile <reconcile@reconcile.invalid>"
    trailers: tuple[str, ...] = ()

    @property
    def is_wanted(self) -> bool:
        """Whether anything is published at all."""
        return self.is_committed or self.is_pushed or self.status_branch is not None


def orders(selection: Selection, brakes: Brakes) -> Orders:
    """Return what that means for a pass."""
    return Orders(
        is_selected=selection.predicate(),
        brakes=brakes.limits(),
        approvals=guard.Approvals(brakes.allow_cancels, brakes.allow_names),
        pinned=brakes.pinned,
        is_suspended=brakes.suspend,
        retry=frozenset(selection.names if selection.is_retry else ()),
    )
