"""What a job has cost so far and will still cost, as text with its basis."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from reconciler.model.cost import cost_left, cost_so_far, may_have_paused
from reconciler.model.guard_use import GuardUse
from reconciler.model.money import Amount, Cost, Total, Unpriced, total_of
from reconciler.model.report import Report, Row
from reconciler.model.status import Receipt, Verb
from reconciler.model.watch_status import WatchStatus
from reconciler.views.text import count
from reconciler.views.usage import current_facts, expected_end


def spent(row: Row, at: datetime) -> Cost | None:
    """Return what the job has cost at a time.

    None if no prices are stated at all, or if the job has a price but was never observed.
    """
    facts, status = current_facts(row), row.status
    if facts is None or row.price is None or isinstance(row.price, Unpriced):
        return row.price if isinstance(row.price, Unpriced) else None
    is_pause_possible = may_have_paused(row.capabilities, status.phase, status.history, status.receipts)
    return cost_so_far(row.price, status.phase, facts, at, is_pause_possible=is_pause_possible)


def left(row: Row, at: datetime) -> Cost | None:
    """Return what the job will still cost if nothing stops it, or None if it has ended or has no price."""
    facts = current_facts(row)
    if facts is None or row.price is None or isinstance(row.price, Unpriced):
        return None
    return cost_left(row.price, row.status.phase, facts, expected_end(row), at)


def cost_text(row: Row, at: datetime) -> str | None:
    """Return `at least 41.20 USD so far, at 8.24 USD per hour; about 48.80 USD more if nothing stops it`.

    If an amount is unknown, the text says why. Return None if no prices are stated at all.
    """
    so_far, more = spent(row, at), left(row, at)
    if so_far is None or row.price is None or isinstance(row.price, Unpriced):
        return str(so_far) if so_far is not None else None
    text = f"{so_far} so far, at {row.price}" if isinstance(so_far, Amount) else f"unknown, because {so_far}"
    if isinstance(more, Amount):
        return f"{text}; {more} more if nothing stops it"
    return text if more is None or str(more) == str(so_far) else f"{text}; the rest is unknown, because {more}"


def amount_text(cost: Cost | None) -> str | None:
    """Return a known amount as text with the Provider document that states its price, or None."""
    return cost.with_document if isinstance(cost, Amount) else None


def total_text(total: Total) -> str:
    """Return sums as text, such as `at least 41.20 USD (3 at prices in Provider documents), and 2 unknown`."""
    if not total.amounts:
        return f"unknown ({count(total.unknown, 'job')})"
    known = ", ".join(map(str, total.amounts))
    known += f" ({total.declared:,} at prices in Provider documents)" if total.declared else ""
    return f"{known}, and {total.unknown:,} unknown" if total.unknown else known


def saved_text(receipts: Iterable[Receipt]) -> str | None:
    """Return the spending that confirmed cancels prevented, as text, or None if that is known of none of them."""
    total = total_of(
        each.not_spent.cost if each.not_spent is not None else Unpriced("not recorded")
        for each in receipts
        if each.has_cancelled
    )
    return f"{total_text(total)}, as estimated when the cancels were requested" if total.amounts else None


def total_spent(rows: Iterable[Row], at: datetime) -> Total:
    """Return what these jobs have cost at a time."""
    return total_of(spent(row, at) for row in rows)


def total_left(rows: Iterable[Row], at: datetime) -> Total:
    """Return what these jobs will still cost if nothing stops them."""
    return total_of(left(row, at) for row in rows)


def cancels_cost_text(rows: Iterable[Row], at: datetime) -> str | None:
    """Return what the jobs that these rows cancel have cost and will still cost, or None without prices."""
    found = [row for row in rows if row.price is not None and row.action and row.action.verb is Verb.CANCEL]
    if not found:
        return None
    so_far, more = total_text(total_spent(found, at)), total_text(total_left(found, at))
    return f"Cost of the jobs to cancel: {so_far} so far; {more} more if nothing stops them."


def sunk_cost_text(use: GuardUse) -> str | None:
    """Return how much of the limit on the sunk cost of cancels an account has used, or None without a limit."""
    limit = use.max_sunk_cost
    if limit is None:
        return None
    here, overall = use.sunk_cost, use.overall_sunk_cost
    in_all = "" if overall is None else f", {overall.text(limit.currency)} in all"
    return f"sunk cost of the hour's cancels: {here.text(limit.currency)} here{in_all}; {limit}"


def guard_cost_lines(report: Report) -> Iterator[str]:
    """Yield how much of the limits on sunk costs is used once the cancels of a plan are requested, by account."""
    accounts = {str(row.ref.account) for row in report.changes if row.ref is not None}
    for account in sorted(accounts & report.guard.keys()):
        if (text := sunk_cost_text(report.guard[account])) is not None:
            yield f"{account}: {text}."


def watched_rows(watch: WatchStatus) -> Iterator[Row]:
    """Yield the rows of a watch, each with its job as a pass last observed it.

    The cost of a job is computed from what was observed, and the row of the last pass may lack it.
    """
    for row in watch.report.rows:
        seen = watch.last_seen(row)
        yield row if seen is row.seen else replace(row, seen=seen)


def cost_json(row: Row, at: datetime) -> dict[str, Any]:
    """Return what the job has cost and will still cost, as JSON values under the key `cost`; empty without prices."""
    found = {"spent": spent(row, at), "left": left(row, at)}
    shown = {key: _json(cost) for key, cost in found.items() if cost is not None}
    return {"cost": shown} if shown else {}


def _json(cost: Cost) -> dict[str, str]:
    """Return an amount as JSON values. Its digits are text, because a JSON number may be read as a rounded float."""
    if isinstance(cost, Unpriced):
        return {"unknown": cost.why}
    digits = cost.value.quantize(Decimal("0.000001")).normalize()
    shown = {"amount": f"{digits:f}", "currency": cost.currency, "basis": str(cost.basis)}
    return shown if cost.document is None else {**shown, "document": cost.document}
