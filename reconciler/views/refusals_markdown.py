"""The refusals of the guard as Markdown: one table with the numbers of every limit, and how to approve the changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconciler.model.report import Refusal
from reconciler.model.sunk_cost import RefusedCost
from reconciler.views.markdown import code_block, escaped, table
from reconciler.views.problems import ignored_approvals
from reconciler.views.text import NO_VALUE, count, names

HEAD = ("Limit of", "Refused", "Allowed in the last hour", "Share", "Limit per hour", "Jobs")


def refusal_lines(refusals: Sequence[Refusal]) -> Iterator[str]:
    """Yield the table and the approvals, or nothing if the guard refused nothing."""
    if not refusals:
        return
    yield from table(HEAD, [_cells(each) for each in refusals])
    yield ""
    wanted = len({name for refusal in refusals for name in refusal.names})
    if all(refusal.doubt is not None for refusal in refusals):
        yield "A pass requests them once the changes of the last hour can be counted again. To request them now:"
    else:
        yield (
            "If every change is intended, put this line in the message of the squash or merge commit that brings the "
            "changes to the branch:"
        )
        yield from ("", code_block(f"Approve-Cancels: {wanted}"), "", "On the command line:")
    yield from ("", code_block(f"reconcile --once --allow-cancels {wanted}"))
    yield from (f"\n- {escaped(each)}" for each in ignored_approvals(refusals))


def _cells(refusal: Refusal) -> tuple[str, ...]:
    return _count_cells(refusal) if refusal.cost is None else _cost_cells(refusal, refusal.cost)


def _cost_cells(refusal: Refusal, cost: RefusedCost) -> tuple[str, ...]:
    currency = cost.limit.currency
    why = "" if cost.unknown is None else f": {escaped(cost.unknown)}"
    return (
        escaped(refusal.scope),
        f"{count(refusal.requested, 'cancel')} of jobs that have cost {cost.wanted.text(currency)}{why}",
        cost.earlier.text(currency),
        NO_VALUE,
        escaped(str(cost.limit)),
        escaped(names(refusal.names)),
    )


def _count_cells(refusal: Refusal) -> tuple[str, ...]:
    return (
        escaped(refusal.scope),
        count(refusal.requested, "change"),
        str(refusal.earlier) if refusal.doubt is None else f"unknown: {escaped(refusal.doubt)}",
        _share(refusal),
        f"{refusal.max_cancels}, or {refusal.max_cancel_percent} % if more; at most {refusal.max_cancels_absolute}",
        escaped(names(refusal.names)),
    )


def _share(refusal: Refusal) -> str:
    if not refusal.unfinished:
        return NO_VALUE
    percent = (refusal.requested + refusal.earlier) * 100 // refusal.unfinished
    return f"{percent} % of {count(refusal.unfinished, 'unfinished job')}"
