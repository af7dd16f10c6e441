"""The accounts of a running watch: when each was observed, its request rate, and its use of the guard's limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from reconciler.model.account_line import kind_of_line, titled, without_kind
from reconciler.model.guard_use import GuardUse
from reconciler.model.request_rate import LimitedBy, RequestRate
from reconciler.model.status import ProviderStatus
from reconciler.views.cost_text import sunk_cost_text
from reconciler.views.html import Html, joined, tag
from reconciler.views.job_query import JobQuery
from reconciler.views.overview_page import headline
from reconciler.views.page_layout import Frame, page, prose, relative, scrollable, time_of
from reconciler.views.text import NO_VALUE, count
from reconciler.views.watch_view import JobLine, WatchView

TITLES = ("Account", "Seen", "Jobs", "Request rate", "Circuit", "Changes in the last hour")
LIMITED_BY = {
    LimitedBy.NOTHING: "rises when needed",
    LimitedBy.CEILING: "at its ceiling",
    LimitedBy.THROTTLING: "the provider throttles",
    LimitedBy.HEADERS: "the provider's headers limit it",
}


@dataclass(frozen=True, slots=True)
class AccountView:
    """One account of the page, and the names that specs use for it."""

    line: str
    """The account line (`model.account_line`)."""
    names: tuple[str, ...]
    jobs: int
    seen_at: datetime | None
    outage: ProviderStatus | None
    rate: RequestRate | None
    rate_at: float
    """When the rate was read, in monotonic seconds."""
    guard: GuardUse | None


def accounts_page(view: WatchView, frame: Frame) -> str:
    """Return the page of all accounts that the jobs of the watch use."""
    accounts = account_views(view)
    body = joined(
        tag("h1", "Accounts", id="headline", class_="plain"),
        _table(accounts, frame) if accounts else tag("p", "No job with a known account is declared.", class_="empty"),
        tag("p", prose("`reconcile drift` lists the jobs of an account that no spec names."), class_="under"),
    )
    return page(f"{headline(view, frame).short}: accounts", body, frame, "/accounts")


def account_views(view: WatchView) -> list[AccountView]:
    """Return the accounts that the jobs of a watch use, sorted by the names that specs use for them."""
    by_account: dict[str, list[JobLine]] = {}
    for line in view.lines:
        if line.row.ref is not None:
            by_account.setdefault(str(line.row.ref.account), []).append(line)
    watch = view.watch
    outages = {each.account: each for each in watch.outages}
    found = [
        AccountView(
            line=account,
            names=tuple(sorted({line.row.provider for line in lines if line.row.provider})),
            jobs=len(lines),
            seen_at=watch.seen_at.get(account),
            outage=outages.get(account),
            rate=watch.rates.get(without_kind(account)),
            rate_at=watch.heartbeat_at,
            guard=watch.guard.get(account),
        )
        for account, lines in by_account.items()
    ]
    return sorted(found, key=lambda each: (each.names, each.line))


def _table(accounts: Iterable[AccountView], frame: Frame) -> Html:
    head = tag("thead", tag("tr", (tag("th", title, scope="col") for title in TITLES)))
    body = tag("tbody", (_row(each, frame) for each in accounts))
    caption = tag("caption", "The accounts that the specs use")
    return scrollable("Table of accounts", tag("table", caption, head, body, class_="accounts"))


def _row(account: AccountView, frame: Frame) -> Html:
    title = titled(", ".join(account.names), kind_of_line(account.line))
    cells = (
        _seen(account, frame),
        _jobs(account),
        _rate(account.rate),
        _circuit(account, frame),
        _guard(account.guard),
    )
    name = tag("th", title, tag("small", without_kind(account.line)), scope="row")
    return tag("tr", name, (tag("td", cell) for cell in cells), data_key=account.line)


def _seen(account: AccountView, frame: Frame) -> Html:
    if (outage := account.outage) is not None:
        since = joined(
            "not observed since ", time_of(outage.since, frame.now), " (", relative(outage.since, frame.now), ")"
        )
        part = "" if not outage.jobs else f"{count(len(outage.jobs), 'job')}: "
        return joined(tag("span", since, class_="state is-not-seen"), tag("small", f"{part}{outage.message}"))
    if account.seen_at is None:
        return joined("no unfinished job")
    return tag("span", "every job observed ", relative(account.seen_at, frame.now), class_="state is-as-desired")


def _jobs(account: AccountView) -> Html:
    kind, name = kind_of_line(account.line), account.names[0] if len(account.names) == 1 else ""
    return (
        tag("a", f"{account.jobs:,}", href=JobQuery().link(provider=name, kind=kind))
        if name
        else joined(f"{account.jobs:,}")
    )


def _rate(rate: RequestRate | None) -> Html:
    if rate is None:
        return joined("not open")
    ceiling = "" if rate.ceiling is None else f", ceiling {_per_second(rate.ceiling)}"
    return joined(f"{_per_second(rate.per_second)}{ceiling}", tag("small", LIMITED_BY[rate.limited_by]))


def _per_second(rate: float) -> str:
    return f"{rate:,.1f}".removesuffix(".0") + "/s"


def _circuit(account: AccountView, frame: Frame) -> Html:
    rate = account.rate
    if rate is None or not rate.blocked_s:
        return joined(NO_VALUE if rate is None else "closed")
    return joined("paused, next try ", relative(frame.wall(account.rate_at + rate.blocked_s), frame.now))


def _guard(guard: GuardUse | None) -> Html:
    if guard is None:
        return joined(NO_VALUE)
    limit = f"allowed: {guard.max_cancels}, or {guard.max_cancel_percent} % of the unfinished jobs if that is more, "
    doubt = (
        tag("small", f"no change is allowed, because those of the last hour cannot be counted: {guard.doubt}")
        if guard.doubt
        else None
    )
    return joined(
        f"{guard.account} here{'' if guard.overall is None else f', {guard.overall} in all'}",
        tag("small", f"{limit}at most {guard.max_cancels_absolute}"),
        None if (cost := sunk_cost_text(guard)) is None else tag("small", cost),
        doubt,
    )
