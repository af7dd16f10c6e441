"""What depends on one spec and its last status only, computed again only if one of them has been replaced.

Each stage of a pass selects specs by some property. Computing the property of every spec would take most of the time of
a pass in which one spec was edited.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from reconciler.controller.report_exit_codes import bits_of_row
from reconciler.controller.resolved_spec import ResolvedSpec
from reconciler.controller.spec_row import untouched_row
from reconciler.core.decide import must_observe
from reconciler.core.each_once import EachOnce
from reconciler.core.finality import is_settled
from reconciler.core.losses import Marks
from reconciler.core.own_statuses import OwnStatuses
from reconciler.model.job import UNFINISHED
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.status import JobStatus

CAN_ACT, MUST_OBSERVE, UNSETTLED, HAS_STATUS, LAST_UNFINISHED, REFUSED, TAKES_NAME, HAS_PROBLEM = (
    1 << bit for bit in range(8)
)
"""The properties of a spec, as bits, because a number below 256 takes no memory of its own.

CAN_ACT: it has a job in a known account. MUST_OBSERVE: it can act, and is new or was changed (`core.decide`).
UNSETTLED: it has a job that is not settled. HAS_STATUS: it has a job and a last status. LAST_UNFINISHED: that status is
in an unfinished phase. REFUSED: that status says that the guard refused the change. TAKES_NAME: no status with its name
describes its job. HAS_PROBLEM: it cannot be acted on.
"""


def properties(spec: ResolvedSpec, last: JobStatus | None) -> int:
    """Return the bits of the properties that a spec has. `last` is its last status."""
    found = HAS_PROBLEM if spec.problem is not None else 0
    found |= TAKES_NAME if last is None or last.job is None or last.name != spec.name else 0
    if spec.subject is None:
        return found
    found |= UNSETTLED if not is_settled(last) else 0
    if spec.target is not None:
        found |= CAN_ACT | (MUST_OBSERVE if must_observe(spec.subject, last) else 0)
    return found if last is None else found | _properties_of_last(last)


def _properties_of_last(last: JobStatus) -> int:
    found = HAS_STATUS
    found |= LAST_UNFINISHED if last.phase in UNFINISHED else 0
    return found | (REFUSED if last.ready.reason is Reason.REFUSED_BY_GUARD else 0)


def _job_id(spec: ResolvedSpec) -> str | None:
    return spec.subject.ref.id if spec.subject is not None else None


def _place(spec: ResolvedSpec) -> tuple[str, str]:
    return spec.name, spec.source


class SpecOrder:
    """The order of specs by their names and files, sorted again only if one of these has changed."""

    def __init__(self) -> None:
        self._each = EachOnce(_place)
        self._places: Sequence[tuple[str, str]] = ()
        self._order: Sequence[int] = ()

    def of(self, specs: Sequence[ResolvedSpec]) -> Sequence[int]:
        """Return the positions of the specs in order. The returned sequence must not be changed."""
        places = self._each.of(specs)
        if places != self._places:
            self._order = sorted(range(len(places)), key=places.__getitem__)
        self._places = places
        return self._order


@dataclass(slots=True)
class PerSpec:
    """The results for the specs and the statuses of the last pass."""

    own: OwnStatuses = field(default_factory=OwnStatuses)
    properties: EachOnce[int] = field(default_factory=lambda: EachOnce(properties))
    job_ids: EachOnce[str | None] = field(default_factory=lambda: EachOnce(_job_id))
    """The ID of the job of each spec, or None if the spec has no job."""
    rows: EachOnce[Row | None] = field(default_factory=lambda: EachOnce(untouched_row))
    """The row of each spec that no worker handled."""
    row_bits: EachOnce[int] = field(default_factory=lambda: EachOnce(bits_of_row))
    """What the row of each spec contributes to the exit code."""
    order: SpecOrder = field(default_factory=SpecOrder)
    marks: Marks = field(default_factory=Marks)
