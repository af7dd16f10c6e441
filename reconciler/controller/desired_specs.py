"""The first step of a pass: read one revision of the specs, resolve it, and match it with the statuses.

Rules: specs are read before statuses. A spec whose status was written by a later version of reconcile is skipped. A
spec whose status could not be read in this pass is reported as `StatusUnknown`, and no change is requested for its job.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from reconciler.controller.operator_policy import OperatorPolicy
from reconciler.controller.per_spec import UNSETTLED, PerSpec
from reconciler.controller.resolution_cache import ResolutionCache
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.run_options import RunOptions
from reconciler.controller.runtime import Runtime
from reconciler.controller.share import Share
from reconciler.controller.spec_resolver import Resolved, resolve
from reconciler.controller.unread_statuses import complaints, hidden, unknown_statuses
from reconciler.core.claim import Claim
from reconciler.core.match import Matched, match
from reconciler.core.subject import INTERVAL
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.job import JobRef
from reconciler.model.job_identity import job_identity
from reconciler.model.reason import Reason
from reconciler.model.status import JobStatus
from reconciler.ports import Snapshot, SpecSource, StoredStatuses, SupportsReread

_WRITTEN_LATER = "a later version of reconcile wrote this status, so it is not changed: update reconcile"


@dataclass(frozen=True, slots=True)
class DesiredSpecs:
    """One revision of the specs, and the statuses that were read right after it."""

    snapshot: Snapshot
    stored: StoredStatuses
    resolved: Resolved
    """Every spec, including those whose status was written by a later version."""
    specs: tuple[ResolvedSpec, ...]
    """The specs that this run handles, including invalid ones. Positions are indexes into this tuple."""
    matched: Matched
    selected: tuple[int, ...]
    """The positions of the specs that the run's filter selects."""
    unknown: Mapping[int, JobStatus]
    """Placeholders for the statuses of selected specs that could not be read, by position. They are never written."""
    unfinished: frozenset[JobRef]
    """The jobs of valid specs that are not settled. The controller polls them."""
    is_whole: bool = True
    """Whether the run selects every spec. If not, no status is removed."""
    edition: int = 0
    """The publisher's edition when the statuses were read."""
    is_shadow: bool = False
    """Whether due changes are only reported (`core.shadow`)."""
    share: Share = field(default_factory=Share)
    """What the run handles, if several replicas share the accounts."""
    properties: Sequence[int] = ()
    """The bits of the properties of each spec (`per_spec`), by position."""
    per_spec: PerSpec = field(default_factory=PerSpec)
    """What is remembered about each spec for the next pass."""

    @property
    def last(self) -> Mapping[int, JobStatus]:
        """The last status of each spec that has a status, by position."""
        return self.matched.last

    @property
    def chosen(self) -> tuple[int, ...]:
        """The positions of the selected specs whose status is known."""
        return tuple(key for key in self.selected if key not in self.unknown) if self.unknown else self.selected

    def chosen_having(self, bit: int) -> list[int]:
        """Return those positions in `chosen` whose specs have a property of `per_spec`."""
        return [key for key in self.chosen if self.properties[key] & bit]

    @property
    def may_ask(self) -> bool:
        """Whether changes may be requested: the Settings are valid and the revision is trusted."""
        return not self.snapshot.is_settings_broken and self.snapshot.why_not_trusted is None

    @property
    def halt(self) -> str | None:
        """Why no change may be requested until a person acts; None if no person needs to act."""
        if self.snapshot.is_settings_broken:
            return "no change is requested for any job until the Settings are valid: run reconcile validate"
        # A torn revision changed while it was read. The next scan follows at once, so a person need not act.
        return None if self.snapshot.is_torn else self.snapshot.why_not_trusted

    @property
    def unfinished_here(self) -> frozenset[JobRef]:
        """The unsettled jobs of the specs that the run selects."""
        return self.unfinished.intersection(each.ref for key in self.selected if (each := self.specs[key]).subject)

    def interval(self, before: timedelta) -> timedelta:
        """Return the poll interval of the Settings, or the default if they do not set one.

        If the Settings are invalid, or if any file could not be read, return `before`.
        """
        if self.snapshot.broken_files or self.snapshot.is_settings_broken:
            return before
        wanted = self.snapshot.settings[0].document.spec.interval if self.snapshot.settings else None
        return wanted or INTERVAL

    def new_orphans(self) -> tuple[JobStatus, ...]:
        """Return the last statuses of deleted specs, except those that an earlier pass reported.

        A spec does not count as deleted if its file cannot be read, or if the run does not select every spec.
        """
        if not self.is_whole:
            return ()
        return tuple(
            status
            for status in self.matched.orphans
            if status.source not in self.snapshot.broken_files and status.ready.reason is not Reason.SPEC_DELETED
        )

    def diagnostics(self, policy: OperatorPolicy) -> tuple[Diagnostic, ...]:
        """Return the problems of the documents, and a diagnostic for each status file that a later version wrote."""
        too_new = (Diagnostic(file=policy.show_status(path), message=_WRITTEN_LATER) for path in self.stored.too_new)
        return (*self.snapshot.diagnostics, *self.resolved.diagnostics, *too_new)

    def notices(self, policy: OperatorPolicy) -> tuple[str, ...]:
        """Return the notices about the revision, and a notice for each status file that was discarded."""
        why_not_trusted = self.snapshot.why_not_trusted
        doubtful = (
            f"{policy.show_status(path)}: the status is damaged or was edited by hand, so it is ignored "
            f"({Reason.STATUS_DISCARDED})"
            for path in self.stored.discarded
        )
        distrust = () if why_not_trusted is None else (f"{why_not_trusted} ({Reason.REVISION_NOT_TRUSTED})",)
        return (*self.snapshot.notices, *distrust, *doubtful)

    def errors(self, policy: OperatorPolicy) -> tuple[str, ...]:
        """Return a message for each status file or directory that could not be read, with the effect and the fix."""
        return tuple(complaints(self.stored, policy))


def load_desired_specs(
    runtime: Runtime,
    options: RunOptions,
    cache: ResolutionCache,
    *,
    by_content: bool,
    changed: Collection[str] | None = None,
) -> DesiredSpecs:
    """Read one revision of the specs and the statuses, and match them.

    Args:
        runtime: the sources of specs and statuses.
        options: the options of the run.
        cache: the resolved specs of the last pass; it is updated.
        by_content: whether to read a file again although its stamp has not changed, because a stamp may miss a change.
        changed: the only paths that have changed since the last snapshot; None if that is not known.
    """
    snapshot = _snapshot(runtime.specs, changed, by_content=by_content)
    # The edition is read before the statuses. If the publisher pulls commits by others in between, `apply_plan` treats
    # what they changed as changed after the decisions.
    edition = runtime.publisher.edition if runtime.publisher is not None else 0
    stored = _load_statuses(runtime, by_content=by_content, is_shared=options.shard is not None)
    resolved = resolve(
        snapshot,
        runtime.policy,
        is_suspended=options.is_suspended,
        is_shadow=options.is_shadow,
        windows=options.windows,
        known=cache,
    )
    share = Share.of(options.shard, resolved.candidates)
    specs = _handled(resolved.candidates, stored, share)
    now = runtime.clock.now().replace(microsecond=0)
    matched = _matched(specs, resolved.claims, stored, share, now, cache)
    keys, is_selected = tuple(range(len(specs))), options.is_selected
    selected = keys if is_selected is None else tuple(key for key in keys if is_selected(specs[key]))
    properties = cache.per_spec.properties.of(specs, list(map(matched.last.get, keys)))
    return DesiredSpecs(
        snapshot=snapshot,
        stored=stored,
        resolved=resolved,
        specs=specs,
        matched=matched,
        selected=selected,
        unknown=unknown_statuses(specs, matched.unknown & set(selected) if matched.unknown else (), stored, now),
        unfinished=frozenset(each.ref for key in keys if properties[key] & UNSETTLED and (each := specs[key].subject)),
        is_whole=is_selected is None,
        edition=edition,
        is_shadow=options.is_shadow,
        share=share,
        properties=properties,
        per_spec=cache.per_spec,
    )


def _snapshot(specs: SpecSource, changed: Collection[str] | None, *, by_content: bool) -> Snapshot:
    """Return a snapshot. If only known specs were edited, their files are read, and no directory is searched."""
    known = None if changed is None or not isinstance(specs, SupportsReread) else specs.advance(changed)
    return specs.snapshot(by_content=by_content) if known is None else known


def _matched(
    specs: tuple[ResolvedSpec, ...],
    claims: tuple[Claim, ...],
    stored: StoredStatuses,
    share: Share,
    now: datetime,
    cache: ResolutionCache,
) -> Matched:
    """Return the last status of each spec that the run handles. `claims` are those of all specs."""
    own = claims
    if len(specs) < len(claims):
        own = tuple(each.claim(key) for key, each in enumerate(specs))
    jobs = stored.jobs if share.shard is None else _without_others(stored.jobs, own, claims)
    matched = match(own, jobs, now, stored.lost_names - share.other_names, hidden(stored), cache.per_spec.own)
    return replace(
        matched,
        orphans=tuple(filter(share.has_status, matched.orphans)),
        superseded=tuple(filter(share.has_status, matched.superseded)),
    )


def _handled(candidates: tuple[ResolvedSpec, ...], stored: StoredStatuses, share: Share) -> tuple[ResolvedSpec, ...]:
    """Return the specs that the run handles, unless a later version wrote the status of a spec.

    A later version may have recorded requests in fields that this version cannot read.
    """
    if share.shard is not None:
        candidates = tuple(filter(share.has_spec, candidates))
    if stored.too_new:
        candidates = tuple(each for each in candidates if not stored.is_of_later_version(each.name, each.ref))
    return candidates


def _without_others(
    statuses: tuple[JobStatus, ...], own: Iterable[Claim], everyone: Iterable[Claim]
) -> tuple[JobStatus, ...]:
    """Return the statuses without those of jobs that only other replicas handle.

    If specs of two replicas exchange their names, no spec takes the status of the other replica's job by its name.
    """
    jobs = {job_identity(each.ref) for each in everyone if each.ref is not None}
    jobs -= {job_identity(each.ref) for each in own if each.ref is not None}
    return tuple(each for each in statuses if each.job is None or job_identity(each.job) not in jobs)


def _load_statuses(runtime: Runtime, *, by_content: bool, is_shared: bool) -> StoredStatuses:
    """Return the statuses.

    The files are checked again in a scan (`by_content`), if a publisher or another replica (`is_shared`) may have
    changed them, or if a status could not be read last time. Otherwise, the statuses are returned from memory, because
    no other process writes them while the lock is held.
    """
    if by_content or is_shared or runtime.publisher is not None or (known := runtime.statuses.known()).unread:
        return runtime.statuses.load(by_content=by_content)
    return known
