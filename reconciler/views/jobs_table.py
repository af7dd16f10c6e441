"""The jobs of the first page: the filters, the table, and the links to its orders and pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from reconciler.model.job import Phase
from reconciler.model.kind import KINDS
from reconciler.views.cost_text import amount_text, total_text
from reconciler.views.html import NOTHING, Html, joined, tag
from reconciler.views.job_query import ALL, DEFAULT, GROUPS, JobQuery, SelectedJobs
from reconciler.views.page_layout import Frame, badge, distance, job_link, relative, scrollable, separated, time_of
from reconciler.views.text import NO_VALUE, count
from reconciler.views.usage import expected_end, used_tokens
from reconciler.views.watch_view import JobLine, WatchView

LABELS_MAX = 50
"""The maximum number of labels that the field of the selector suggests."""


@dataclass(frozen=True, slots=True)
class TableColumn:
    """A column of the table: its title, its order in `job_query.SORTS`, and its cell for a job."""

    title: str
    sort: str
    cell: Callable[[JobLine], Html | str | None]


def jobs_section(view: WatchView, selected: SelectedJobs, ignored: Sequence[str], frame: Frame) -> Html:
    """Return the filters, and the selected jobs or the reason why there are none."""
    query = selected.query
    if not view.lines:
        return tag("section", tag("p", _no_job(view), class_="empty"), id="jobs", aria_label="Jobs")
    notes = [f"Ignored, because it is not valid: {each}" for each in ignored]
    table = _table(view, selected, frame) if selected.lines else _nothing_matches()
    return joined(
        _form(view, query),
        tag("ul", (tag("li", note) for note in notes), class_="notes", id="notes") if notes else None,
        tag("section", table, id="jobs", aria_label="Jobs"),
    )


def _no_job(view: WatchView) -> Html | str:
    if view.watch.finished_at is None:
        return "Starting: the first pass has not ended."
    return joined(
        "No job is declared yet. ", tag("code", "reconcile adopt"), " writes a spec for each job of an account."
    )


def _nothing_matches() -> Html:
    return tag("p", "No job matches. ", tag("a", "Clear the filters", href="/"), class_="empty")


def _form(view: WatchView, query: JobQuery) -> Html:
    controls = [
        _select("State", "state", GROUPS, query.state),
        _select("Phase", "phase", Phase, query.phase),
        _select("Kind", "kind", KINDS, query.kind) if len(view.jobs.kinds) > 1 or query.kind else NOTHING,
        _select("Provider", "provider", view.jobs.providers, query.provider),
        _field("Labels", "selector", query.selector, "team=support", list_="labels"),
        tag("datalist", (tag("option", value=pair) for pair in view.jobs.labels[:LABELS_MAX]), id="labels"),
        _field("Find", "q", query.q, "name, reason, job id"),
        tag("input", type="hidden", name="sort", value=query.sort) if query.sort != DEFAULT.sort else NOTHING,
        tag("button", "Filter"),
        tag("a", "Clear", href="/") if query.is_filtered else NOTHING,
    ]
    return tag("form", controls, method="get", action="/", id="filter", role="search", data_keep=True)


def _select(label: str, name: str, values: Iterable[str], chosen: str) -> Html:
    options = (tag("option", value, value=value, selected=value == chosen) for value in map(str, values))
    return tag("label", label, tag("select", tag("option", "any", value=""), options, name=name))


def _field(label: str, name: str, value: str, example: str, **attributes: str) -> Html:
    return tag("label", label, tag("input", type="text", name=name, value=value, placeholder=example, **attributes))


def _table(view: WatchView, selected: SelectedJobs, frame: Frame) -> Html:
    query, columns = selected.query, _columns(view, frame)
    last = selected.first + len(selected.lines) - 1
    every = f" ({selected.total:,} in all)" if selected.matching != selected.total else ""
    what = "that match" if query.is_filtered else ""
    shown = f"Jobs {selected.first:,} to {last:,} of {selected.matching:,} {what}".rstrip()
    caption = tag("caption", shown, every, _cost_of(view, selected))
    head = tag("thead", tag("tr", (_heading(each, query) for each in columns)))
    body = tag("tbody", (_row(line, columns) for line in selected.lines))
    return joined(scrollable("Table of jobs", tag("table", caption, head, body, class_="jobs")), _pager(selected))


def _cost_of(view: WatchView, selected: SelectedJobs) -> str | None:
    """Return the cost of all jobs that match, as the end of the caption, or None without prices."""
    if not view.jobs.has_prices:
        return None
    return f". Cost so far: {total_text(selected.cost)}"


def _columns(view: WatchView, frame: Frame) -> list[TableColumn]:
    """Return the columns.

    `Kind` is one only if there are several kinds, `Left` and `Tokens` only if a job has a value, and `Cost` only with
    prices.
    """
    now = frame.now
    found = [
        TableColumn("Job", "job", _job),
        TableColumn("State", "state", _state),
        TableColumn("Phase", "phase", lambda line: _phase(line, frame)),
        TableColumn("Wanted", "wanted", lambda line: line.row.wanted),
        TableColumn("Provider", "provider", lambda line: line.row.provider),
    ]
    if len(view.jobs.kinds) > 1:
        found.append(TableColumn("Kind", "kind", lambda line: line.row.status.kind.name))
    found.append(TableColumn("Age", "created", lambda line: _age(line, frame)))
    if view.jobs.has_ends:
        found.append(
            TableColumn("Left", "left", lambda line: distance(at, now) if (at := expected_end(line.row)) else None)
        )
    if view.jobs.has_tokens:
        found.append(
            TableColumn("Tokens", "tokens", lambda line: f"{used:,}" if (used := used_tokens(line.row)) else None)
        )
    if view.jobs.has_prices:
        found.append(TableColumn("Cost", "cost", lambda line: amount_text(line.cost)))
    found.append(
        TableColumn("Changed", "changed", lambda line: relative(line.row.status.ready.last_transition_time, now))
    )
    return found


def _job(line: JobLine) -> Html:
    return joined(job_link(line.row.name), tag("small", line.row.provider or "", class_="narrow"))


def _state(line: JobLine) -> Html:
    """Return the state, and the reason if it says more than the state does."""
    reason, state = line.state.reason, line.state.job_state.replace(" ", "")
    return joined(badge(line.state), tag("small", " ", reason) if reason.casefold() != state else None)


def _phase(line: JobLine, frame: Frame) -> Html:
    before = tag("small", " before ", time_of(line.unseen_since, frame.now)) if line.unseen_since is not None else None
    return joined(line.row.status.phase, before)


def _age(line: JobLine, frame: Frame) -> Html | None:
    job = line.row.status.job
    return distance(job.created_at, frame.now) if job is not None and job.created_at is not None else None


def _heading(column: TableColumn, query: JobQuery) -> Html:
    is_up, is_down = query.sort == column.sort, query.sort == f"-{column.sort}"
    link = tag("a", column.title, href=query.link(sort=f"-{column.sort}" if is_up else column.sort))
    order = "ascending" if is_up else "descending" if is_down else None
    return tag("th", link, scope="col", aria_sort=order, class_=f"c-{column.sort}")


def _row(line: JobLine, columns: Sequence[TableColumn]) -> Html:
    first, *others = columns
    cells = (tag("td", each.cell(line) or NO_VALUE, class_=f"c-{each.sort}") for each in others)
    return tag("tr", tag("th", first.cell(line), scope="row"), cells, data_key=f"{line.row.source}/{line.row.name}")


def _pager(selected: SelectedJobs) -> Html | None:
    if selected.pages == 1:
        return None
    query = selected.query
    if query.page == ALL:
        return tag("nav", tag("a", "Show pages", href=query.link()), aria_label="Pages of jobs", class_="pager")
    here = int(query.page)
    links = [
        tag("a", "Previous", href=query.link(page=str(here - 1)), rel="prev") if here > 1 else None,
        f"Page {here:,} of {selected.pages:,}",
        tag("a", "Next", href=query.link(page=str(here + 1)), rel="next") if here < selected.pages else None,
        tag("a", f"Show all {count(selected.matching, 'job')}", href=query.link(page=ALL)),
    ]
    return tag("nav", separated(links), aria_label="Pages of jobs", class_="pager")
