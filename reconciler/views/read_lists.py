"""How far the lists of accounts were read to find unmanaged jobs, for `drift` and `adopt`.

The jobs of some kinds end within a known time. Only unfinished jobs of such a kind are shown, and a list that comes
newest first is read only as far back as a job can be unfinished. Some services list jobs of several kinds together, and
may not show the kind of each.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rich.text import Text

from reconciler.model.kind import KINDS
from reconciler.model.spec import render_instant
from reconciler.views.layout import styled
from reconciler.views.text import count, moment, names, span


@dataclass(frozen=True, slots=True)
class ReadList:
    """The list of the jobs of one kind at one provider, as far as it was read.

    Args:
        provider: the name of the provider.
        kind: the name of the kind.
        jobs: the number of jobs in the part of the list that was read.
        read_back_to: the time at which reading ended, because older jobs have ended; None if the list was read to its
            end.
        is_unfinished_only: whether finished jobs of the list are left out.
        others: how many jobs without a spec are left out, because nothing shows that they are of the kind.
    """

    provider: str
    kind: str
    jobs: int
    read_back_to: datetime | None
    is_unfinished_only: bool
    others: int = 0


def bounds(lists: Sequence[ReadList]) -> list[Text]:
    """Return the lines that say which jobs are left out, and why."""
    return [*_of_time(lists), *_of_kind(lists)]


def _of_kind(lists: Sequence[ReadList]) -> list[Text]:
    """Return a line for each list with jobs that nothing shows to be of its kind."""
    return [
        styled(
            f"Left out at {each.provider}: {count(each.others, 'job')} without a spec, "
            f"not known to be of kind {each.kind}.",
            "dim",
        )
        for each in lists
        if each.others
    ]


def _of_time(lists: Sequence[ReadList]) -> list[Text]:
    """Return a line for each kind whose jobs end within a known time: what is left out, and how far lists were read."""
    kinds = {each.kind: KINDS[each.kind].ends_within for each in lists}
    return [
        styled(
            f"Only unfinished jobs of kind {kind} are shown. "
            f"{_how_far([each for each in lists if each.kind == kind], kind, longest)}",
            "dim",
        )
        for kind, longest in kinds.items()
        if longest is not None
    ]


def lists_json(lists: Sequence[ReadList]) -> list[Mapping[str, object]]:
    """Return the lists as JSON values."""
    return [
        {
            "provider": each.provider,
            "kind": each.kind,
            "jobs": each.jobs,
            "unfinishedOnly": each.is_unfinished_only,
            "ofOtherKinds": each.others,
            "readBackTo": None if each.read_back_to is None else render_instant(each.read_back_to),
        }
        for each in lists
    ]


def _how_far(lists: Sequence[ReadList], kind: str, longest: timedelta) -> str:
    ends = [each.read_back_to for each in lists if each.read_back_to is not None]
    bounded = [each.provider for each in lists if each.read_back_to is not None]
    whole = [each.provider for each in lists if each.read_back_to is None]
    parts = [f"{_lists_of(whole)} read to the end."] if whole else []
    if ends:
        why = f"older jobs have ended, because a {kind} ends within {span(longest)}"
        parts.append(f"{_lists_of(bounded)} read back to {moment(min(ends))}: {why}.")
    return " ".join(parts)


def _lists_of(providers: Sequence[str]) -> str:
    return f"The list of {providers[0]} was" if len(providers) == 1 else f"The lists of {names(providers)} were"
