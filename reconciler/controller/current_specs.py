"""The newest specs, Settings and change budget, which every account worker must obey.

An account worker may still be running when its pass ends. After each wait, the worker reads the `CurrentSpecs` of the
newest pass, and requests no change for a job whose spec changed in the meantime.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.resolved_account import JobKey, ResolvedAccount
from reconciler.core.change_budget import ChangeBudget
from reconciler.core.subject import Subject
from reconciler.model.job import JobRef
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.reason import Reason
from reconciler.model.spec import Suspension


@dataclass(frozen=True, slots=True)
class CurrentSpecs:
    """The specs, Settings and change budget of the newest pass. Workers of every pass read them before they act."""

    subjects: Mapping[str, Subject] = field(default_factory=dict)
    """The resolved, valid specs that the run selects and whose status is known, by name."""
    named: frozenset[JobKey] = frozenset()
    """The jobs that specs name (`Resolved.named`), even if a spec is not selected."""
    budget: ChangeBudget = field(default_factory=ChangeBudget)
    pinned: PinnedPlan | None = None
    """The only changes that may be requested for the first time; None allows every change."""
    may_ask: bool = False
    """Whether changes may be requested: the Settings are valid and the revision is trusted."""
    halt: str | None = None
    """Why no change may be requested until a person acts; None if no person needs to act."""
    targets: Mapping[str, ResolvedAccount] = field(default_factory=dict)
    """How to reach each account, by account line (`model.account_line`)."""
    suspect_since: Mapping[str, datetime] = field(default_factory=dict)
    """When each account was first reported as `ObservationSuspect`, by account line (`model.account_line`)."""
    suspension: Suspension | None = None
    """The suspension of all jobs by the operator or the Settings, or None."""
    edition: int = 0
    """The publisher's edition when the statuses were read."""
    is_sharded: bool = False
    """Whether other replicas handle other accounts (`--shard`)."""

    def may_act(self, subject: Subject) -> bool:
        """Return whether a change may still be requested for this spec."""
        return self.may_ask and not subject.is_shadow and self.hold(subject)

    def since(self, before: CurrentSpecs) -> frozenset[JobRef]:
        """Return the jobs that must be observed again.

        A job is returned if its spec or account differs from `before`. If the permission to request changes differs,
        every job is returned. If the limits, the approvals or the doubts of the guard differ, the jobs whose change
        it refused are returned.
        """
        # If the trust in the revision or the validity of the Settings changes, every job is affected.
        is_new = (self.may_ask, self.halt) != (before.may_ask, before.halt)
        refused = self.budget.standing if _terms(self.budget) != _terms(before.budget) else {}
        changed = {target.account for line, target in self.targets.items() if before.targets.get(line) != target}
        return frozenset(
            each.ref
            for each in self.subjects.values()
            if is_new
            or not before.hold(each)
            or (changed and each.ref.account in changed)
            or (refused and each.name in refused)
        )

    def hold(self, subject: Subject) -> bool:
        """Return whether the newest revision contains this spec unchanged. A requested retry is not a change."""
        now = self.subjects.get(subject.name)
        return now is not None and (now is subject or replace(now, is_retry=subject.is_retry) == subject)


def _terms(budget: ChangeBudget) -> tuple[object, ...]:
    """Return what may change the guard's verdict on a change, except past attempts and the number of jobs."""
    return budget.limits, budget.approvals, budget.doubts


def current_specs(desired: DesiredSpecs, budget: ChangeBudget, pinned: PinnedPlan | None) -> CurrentSpecs:
    """Return the specs of this revision, with the changes that may be requested.

    Args:
        desired: the revision.
        budget: how many changes may be requested.
        pinned: the only changes that may be requested for the first time; None allows every change.
    """
    chosen = (desired.specs[key] for key in desired.chosen)
    return CurrentSpecs(
        subjects={each.subject.name: each.subject for each in chosen if each.subject},
        named=desired.resolved.named,
        budget=budget,
        pinned=pinned,
        may_ask=desired.may_ask,
        halt=desired.halt,
        targets=desired.resolved.targets,
        suspect_since={
            each.account: each.since for each in desired.stored.providers if each.reason is Reason.OBSERVATION_SUSPECT
        },
        suspension=desired.resolved.suspension,
        edition=desired.edition,
        is_sharded=desired.share.shard is not None,
    )
