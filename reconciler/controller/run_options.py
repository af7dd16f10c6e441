"""The options of a run: where the specs are, which specs to handle, and the limits on changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.core import guard
from reconciler.core.guard import Approvals
from reconciler.core.scope import ScopedLimits
from reconciler.model.change_window import ChangeWindow
from reconciler.model.kind import JobDocument
from reconciler.model.operator import CancelSafety, OperatorSafety, OperatorSpec
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.shard import Shard
from reconciler.model.sunk_cost import SunkCostLimit


@dataclass(frozen=True, slots=True)
class ChangeRules:
    """The operator's limits and approvals for a run."""

    limits: ScopedLimits = field(default_factory=ScopedLimits)
    approvals: Approvals = field(default_factory=Approvals)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run, as a pass reads them."""

    is_selected: Callable[[ResolvedSpec], bool] | None = None
    """A function that returns whether a spec is selected; None selects all. With a filter, no status is removed."""
    rules: ChangeRules = field(default_factory=ChangeRules)
    pinned: PinnedPlan | None = None
    """The only changes that may be requested for the first time; None allows every change."""
    is_suspended: bool = False
    """Whether the operator suspends all jobs."""
    is_shadow: bool = False
    """Whether due changes are only reported (`core.shadow`)."""
    windows: tuple[ChangeWindow, ...] = ()
    """The operator's change windows."""
    retry: frozenset[str] = frozenset()
    """The names of the specs whose next attempt is due now, because a user requested a retry."""
    shard: Shard | None = None
    """The shard whose accounts the run handles; None handles all accounts."""


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A branch of a Git remote that contains the specs."""

    url: str
    """The URL of the remote, without a password."""
    ref: str
    path: str
    """The path of the specs directory in the tree of the branch, separated by `/`."""
    poll_s: float
    """The time between two polls of the remote, in seconds."""
    user: str | None = None
    """The user that the URL contained, or None."""
    password: str | None = field(default=None, repr=False)
    """The password that the URL contained, or None."""
    token_file: Path | None = None
    """The file that contains the password, or None."""
    accepted: str | None = None
    """A commit that the operator accepts although the branch was rewound to it, or None."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The files and directories of a run. For a directory, None means the default."""

    specs: Path
    status_dir: Path | None = None
    state_dir: Path | None = None
    audit: Path | None = None
    """The audit log, which records every change request; None if only the receipts record them."""
    operator: Path | None = None
    """The path of the operator's file; None if the run does not use one."""
    remote: GitRemote | None = None
    """The remote branch of the specs. If it is given, `specs` is the path of the directory in its tree.

    None means that `specs` is a local directory.
    """

    @property
    def shown(self) -> str:
        """The location of the specs, as text for messages."""
        remote = self.remote
        return str(self.specs) if remote is None else f"{remote.url} {remote.ref}:{remote.path}"

    @property
    def identity(self) -> Path:
        """The path that identifies these specs, so that each location of specs has its own state directory."""
        remote = self.remote
        return self.specs if remote is None else Path("/", remote.url.replace("/", "_"), remote.ref, remote.path)

    @property
    def statuses(self) -> Path:
        """The directory of the statuses."""
        return self.status_dir or self.specs / "status"


@dataclass(frozen=True, slots=True)
class Selection:
    """The specs that a run selects. An empty selection means all specs."""

    names: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    """The labels that a spec must have, all of them, by key and value."""
    provider: str | None = None
    """The only provider name that is selected, as specs write it; None selects all."""
    kind: str | None = None
    """The only kind of job that is selected, by name; None selects all kinds."""
    is_retry: bool = False
    """Whether the next attempt of the specs in `names` is due now."""
    shard: Shard | None = None
    """The shard whose accounts the run handles; None handles all accounts.

    It is not part of `predicate`, because a shard also removes the statuses of its deleted specs.
    """

    def predicate(self) -> Callable[[ResolvedSpec], bool] | None:
        """Return a function that returns whether a spec is selected; None if every spec is selected."""
        return self._holds if self.names or self.labels or self.provider or self.kind else None

    def _holds(self, candidate: ResolvedSpec) -> bool:
        if self.names and candidate.name not in self.names:
            return False
        if candidate.document is not None:
            return self.matches(candidate.document.document)
        return self.kind in (None, candidate.kind.name) and not (self.labels or self.provider)

    def matches(self, document: JobDocument) -> bool:
        """Return whether a spec has the labels, the provider and the kind of this selection, whatever its name is."""
        labels = document.metadata.labels
        return (
            self.kind in (None, document.kind)
            and self.provider in (None, document.spec.provider)
            and all(labels.get(key) == value for key, value in self.labels)
        )


@dataclass(frozen=True, slots=True)
class SafetyOptions:
    """The operator's limits and approvals on the command line. A limit is None if its flag is not given."""

    allow_cancels: int | None = None
    allow_names: frozenset[str] = frozenset()
    pinned: PinnedPlan | None = None
    """The approved plan: the only changes that may be requested for the first time. None allows every change."""
    max_cancels: int | None = None
    max_cancel_percent: int | None = None
    max_cancels_absolute: int | None = None
    suspend: bool = False
    """Whether no change is requested for any job."""
    shadow: bool = False
    """Whether due changes are only reported."""

    def limits(self, ruled: OperatorSafety) -> ScopedLimits:
        """Return the limits. If a flag and the operator's file set the same limit, the stricter value applies."""
        return ScopedLimits(
            self._stricter(ruled),
            {name: self._stricter(each, ruled) for name, each in ruled.kinds.items()},
            {name: self._stricter(each, ruled) for name, each in ruled.credentials.items()},
        )

    def _stricter(self, *ruled: CancelSafety) -> guard.ChangeLimits:
        """Return the limits of the command line, each tightened by the first value for it in `ruled`."""
        default = guard.ChangeLimits()
        return guard.ChangeLimits(
            _least(default.max_cancels, self.max_cancels, *(each.max_cancels for each in ruled)),
            _least(default.max_cancel_percent, self.max_cancel_percent, *(each.max_cancel_percent for each in ruled)),
            _least(
                default.max_cancels_absolute, self.max_cancels_absolute, *(each.max_cancels_absolute for each in ruled)
            ),
            _sunk_cost(ruled),
        )


@dataclass(frozen=True, slots=True)
class TrustSources:
    """The files that bind credentials to hosts, and the directories that credential files are read from."""

    files: tuple[Path, ...] = ()
    secret_dirs: tuple[Path, ...] = ()


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The time limits of `--once`."""

    timeout_s: float
    """How long a transient failure is retried, in seconds; with 0, it is not retried."""
    wait_s: float | None = None
    """How long to wait for a change in progress, in seconds; None if the run does not wait."""


@dataclass(frozen=True, slots=True)
class Publishing:
    """Whether statuses are committed and pushed, and to which branch."""

    is_committed: bool = False
    is_pushed: bool = False
    """Whether commits of a checkout are pushed. If the specs are in a Git remote, commits are always pushed to it."""
    status_branch: str | None = None
    """The separate branch for the statuses; None means the branch of the specs."""
    remote: str = "origin"
    author: str = "reconcile <reconcile@reconcile.invalid>"
    trailers: tuple[str, ...] = ()

    @property
    def is_wanted(self) -> bool:
        """Whether statuses are published."""
        return self.is_committed or self.is_pushed or self.status_branch is not None


NOT_PUBLISHED = Publishing()
"""Statuses are only written to the status directory."""


def _least(default: int, flag: int | None, *ruled: int | None) -> int:
    """Return the smaller of the flag and the first value in `ruled`, or `default` if neither is given."""
    given = [each for each in (flag, next((each for each in ruled if each is not None), None)) if each is not None]
    return min(given, default=default)


def _sunk_cost(ruled: Sequence[CancelSafety]) -> SunkCostLimit | None:
    """Return the limit on the sunk cost of cancels: the first value in `ruled` of each of its fields."""
    limit = next((each.max_cancels_cost for each in ruled if each.max_cancels_cost is not None), None)
    unknown = next((each.unknown_cost for each in ruled if each.unknown_cost is not None), "refuse")
    return None if limit is None else SunkCostLimit.of(limit, ignores_unknown=unknown == "ignore")


def run_options(
    selection: Selection,
    brakes: SafetyOptions,
    operator: OperatorSpec | None = None,
    windows: tuple[ChangeWindow, ...] = (),
) -> RunOptions:
    """Return the options of a pass, from the command line and the operator's file. None means that there is no file."""
    ruled = operator or OperatorSpec()
    return RunOptions(
        is_selected=selection.predicate(),
        rules=ChangeRules(brakes.limits(ruled.safety), Approvals(brakes.allow_cancels, brakes.allow_names)),
        pinned=brakes.pinned,
        is_suspended=brakes.suspend or ruled.suspend,
        is_shadow=brakes.shadow or ruled.shadow,
        windows=windows,
        retry=frozenset(selection.names if selection.is_retry else ()),
        shard=selection.shard,
    )
