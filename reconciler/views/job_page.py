"""The page of one job: its state, what to do, its spec, its facts and its history."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from reconciler.views.cost_text import cost_text
from reconciler.views.describe_text import Fact, job_facts, spec_facts
from reconciler.views.explain_text import advice_of
from reconciler.views.html import Html, joined, tag
from reconciler.views.job_history import timeline
from reconciler.views.page_layout import (
    Frame,
    badge,
    command,
    facts,
    job_link,
    page,
    prose,
    scrollable,
    separated,
    time_of,
)
from reconciler.views.row_state import JobState
from reconciler.views.text import NO_VALUE, nearest, second
from reconciler.views.usage import time_left_text, usage_text
from reconciler.views.watch_view import JobLine, WatchView

APPROVAL = (
    "While this watch runs, the line `Approve-Cancels: N` in the commit that brings the changes approves them. "
    "Otherwise stop the watch, and run `reconcile --once --allow-cancel {name}`."
)


def job_page(name: str, view: WatchView, frame: Frame) -> str:
    """Return the page of the jobs with this name: one section for each, or links to similar names if no job has it."""
    lines = view.named(name)
    if not lines:
        return page("no such job", _unknown(name, view), frame)
    title = f"{name}: {lines[0].state.job_state}"
    return page(title, joined([_job(line, view, frame) for line in lines]), frame)


def _unknown(name: str, view: WatchView) -> Html:
    similar = nearest(name, [line.row.name for line in view.lines])
    hint = tag("p", "Similar names: ", separated(job_link(each) for each in similar)) if similar else None
    title = tag("h1", f"No job is called {name}.", id="headline", class_="warn")
    return joined(title, hint, tag("p", tag("a", "All jobs", href="/")))


def _job(line: JobLine, view: WatchView, frame: Frame) -> Html:
    row = line.row
    place = row.source if row.line is None else f"{row.source}:{row.line}"
    at = f" at {view.watch.report.revision[:7]}" if view.watch.report.revision else ""
    return joined(
        tag("h1", row.name, id="headline", class_="plain"),
        tag("p", separated([row.status.kind.name, row.provider, tag("span", place, at)]), class_="under"),
        _state(line, frame),
        _commands(line),
        _section("Spec", [*spec_facts(row.document)]),
        _section("Job", [*job_facts(row.status, frame.now), *_usage(line, view, frame)]),
        _history(line),
    )


def _state(line: JobLine, frame: Frame) -> Html:
    state = line.state
    since = line.row.status.ready.last_transition_time
    unseen = line.unseen_since
    note = tag("p", "The facts below were observed before ", time_of(unseen, frame.now), ".") if unseen else None
    return tag(
        "section",
        tag("p", badge(state), " ", tag("b", state.reason), " since ", time_of(since, frame.now)),
        tag("p", state.message) if state.message else None,
        note,
        tag("p", tag("strong", "What to do: "), prose(advice_of(state.reason))),
        tag("p", prose(APPROVAL.format(name=line.row.name))) if state.job_state is JobState.REFUSED else None,
        id="state",
        aria_label="State",
        class_=f"panel is-{state.job_state.value.replace(' ', '-')}",
    )


def _commands(line: JobLine) -> Html:
    """Return the commands for this state, which can be run while the watch runs."""
    name, state, status = shlex.quote(line.row.name), line.state.job_state, line.row.status
    shown = [f"reconcile describe {name}", f"reconcile explain {line.state.reason}"]
    if state is JobState.REFUSED:
        shown.append("reconcile plan")
    if status.open_receipt is not None or state is JobState.STALLED:
        shown.append(f"reconcile retry {name}")
    if not status.final and line.row.document is not None:
        shown.append(f"reconcile suspend {name}")
    return tag("section", tag("h2", "Commands"), tag("ul", (tag("li", command(each)) for each in shown)), id="commands")


def _usage(line: JobLine, view: WatchView, frame: Frame) -> list[Fact]:
    return [
        ("used", usage_text(line.row, frame.now)),
        ("left", time_left_text(line.row, frame.now)),
        ("cost", cost_text(line.row, view.costs_at(frame.now))),
    ]


def _section(title: str, shown: Iterable[Fact]) -> Html:
    return tag("section", tag("h2", title), facts(shown), id=title.lower())


def _history(line: JobLine) -> Html | None:
    entries = timeline(line.row.status)
    rows = (
        tag("tr", tag("td", second(at) if at else NO_VALUE), tag("td", source), tag("td", text))
        for at, _, source, text in reversed(entries)
    )
    titles = (tag("th", title, scope="col") for title in ("Time", "Source", "What happened"))
    caption = tag("caption", "History, newest first (UTC)")
    table = tag("table", caption, tag("thead", tag("tr", titles)), tag("tbody", rows), class_="history")
    return tag("section", scrollable("History", table), id="history") if entries else None
