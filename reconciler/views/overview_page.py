"""The first page of a running watch: whether it works, which accounts it cannot observe, who must act, and the jobs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC

from reconciler.model.account_line import account_title, kind_of_line, kind_suffix
from reconciler.model.diagnostic import Severity
from reconciler.model.reason import Reason
from reconciler.model.status import ProviderStatus
from reconciler.model.watch_status import HALTED, liveness_problems
from reconciler.views.cost_text import saved_text
from reconciler.views.html import Html, joined, tag
from reconciler.views.job_query import JobQuery, parse_query, select
from reconciler.views.jobs_table import jobs_section
from reconciler.views.page_layout import Frame, badge, card, job_link, page, relative, separated, time_of
from reconciler.views.problems import Problem, problems
from reconciler.views.row_state import RowState, totals_text
from reconciler.views.text import count, sentence_case
from reconciler.views.watch_view import NEEDS_A_PERSON, NOT_SEEN, JobLine, WatchView

LISTED_MAX = 6
"""The maximum number of jobs that a card lists."""


def overview_page(view: WatchView, parameters: list[tuple[str, str]], frame: Frame) -> str:
    """Return the first page. `parameters` are those of the query in its address."""
    query, ignored = parse_query(parameters)
    state = headline(view, frame)
    body = joined(
        tag("h1", state.sentence, id="headline", class_=state.tone),
        _pulse(view, frame),
        tag("div", filter(None, _cards(view, frame)), class_="cards", id="cards"),
        jobs_section(view, select(view.lines, query), ignored, frame),
    )
    return page(state.short, body, frame, "/")


@dataclass(frozen=True, slots=True)
class Headline:
    """The state of the watch: in a few words, in a sentence, and as a tone."""

    short: str
    sentence: str
    tone: str
    """One of `bad`, `warn`, `wait` and `good`."""


def headline(view: WatchView, frame: Frame) -> Headline:
    """Return the state of the watch. A problem of the watch itself comes before problems of jobs."""
    watch = view.watch
    if dead := liveness_problems(watch, frame.monotonic):
        return Headline("not working", f"Not working: {'; '.join(dead)}.", "bad")
    if watch.is_stopping:
        return Headline("stopping", "The watch is stopping: it finishes what is in progress.", "wait")
    if (waits := watch.standing_by) is not None:
        return Headline("standing by", f"{sentence_case(waits)}.", "wait")
    if watch.finished_at is None:
        return Headline("starting", "Starting: the first pass has not ended.", "wait")
    if watch.is_halted:
        return Headline("no changes", f"{sentence_case(HALTED)}.", "bad")
    return _of_jobs(view)


def _of_jobs(view: WatchView) -> Headline:
    people, errors, outages = len(view.in_state(NEEDS_A_PERSON)), len(_document_errors(view)), len(view.watch.outages)
    parts = (
        (outages, f"{count(outages, 'account')} cannot be observed"),
        (people, f"{count(people, 'job')} {'needs' if people == 1 else 'need'} attention"),
        (errors, f"{count(errors, 'error')} in documents or in reconcile"),
    )
    if text := ", ".join(part for number, part in parts if number):
        return Headline(text, f"{text}.", "bad" if people or errors else "warn")
    jobs = totals_text(view.jobs.by_state) if view.lines else "no job is declared"
    return Headline("healthy", f"Healthy: {jobs}.", "good")


def _pulse(view: WatchView, frame: Frame) -> Html:
    """Return when the last pass was, which job is due next, how many polls are scheduled, and the specs' commit."""
    watch = view.watch
    if watch.finished_at is None:
        return tag("p", "No pass has ended yet.", id="pulse")
    took = f" (took {watch.took_s:.1f} s)"
    parts: list[Html] = [joined("Last pass ", relative(watch.finished_at, frame.now), took)]
    if watch.upcoming:
        due = watch.upcoming[0]
        parts.append(
            joined("next: ", job_link(due.name), " ", relative(frame.wall(due.at), frame.now), f" ({due.why})")
        )
    parts.append(joined(f"{count(watch.waiting, 'poll')} scheduled"))
    if watch.report.revision:
        parts.append(joined("specs at ", tag("code", watch.report.revision[:7])))
    if watch.leadership is not None:
        parts.append(joined(watch.leadership.text))
    return tag("p", separated(parts), id="pulse")


def _cards(view: WatchView, frame: Frame) -> Iterator[Html | None]:
    yield _unseen(view, frame)
    yield _people(view)
    yield _near(view, frame)
    yield _today(view, frame)


def _unseen(view: WatchView, frame: Frame) -> Html | None:
    alone = [line for line in view.in_state(NOT_SEEN) if line.unseen_since is None]
    items = [_outage(view, each, frame) for each in view.watch.outages]
    items += [tag("li", job_link(line.row.name), f" {line.state.message}") for line in alone[:LISTED_MAX]]
    if not items:
        return None
    more = _more(len(alone) - LISTED_MAX, JobQuery().link(state="cannot be observed"))
    return card("unseen", "Cannot be observed", tag("ul", items), more)


def _outage(view: WatchView, outage: ProviderStatus, frame: Frame) -> Html:
    kind = kind_of_line(outage.account)
    jobs = len(view.hidden_by(outage))
    link = JobQuery().link(state="cannot be observed", provider=outage.name.removesuffix(kind_suffix(kind)))
    return tag(
        "li",
        tag("strong", account_title(outage.name, kind)),
        " since ",
        time_of(outage.since, frame.now),
        " (",
        relative(outage.since, frame.now),
        f"): {outage.message}. ",
        tag("a", f"{count(jobs, 'job')}", href=link),
        " shown as last observed.",
        data_key=outage.name,
    )


def _people(view: WatchView) -> Html | None:
    lines, errors = view.in_state(NEEDS_A_PERSON), _document_errors(view)
    if not lines and not errors:
        return None
    items = [tag("li", each.summary) for each in errors[:LISTED_MAX]]
    groups: dict[RowState, list[JobLine]] = {}
    for line in lines:
        groups.setdefault(line.state, []).append(line)
    items += [_group(state, alike) for state, alike in list(groups.items())[:LISTED_MAX]]
    more = tag("p", tag("a", "Show all in the table", href=JobQuery().link(state="needs attention"))) if lines else None
    return card("people", f"Needs attention ({len(lines) + len(errors)})", tag("ul", items), more)


def _group(state: RowState, lines: Sequence[JobLine]) -> Html:
    """Return the list item of the jobs that need attention for one reason."""
    names = joined(*(joined(" ", job_link(line.row.name)) for line in lines[:LISTED_MAX]))
    rest = f" and {len(lines) - LISTED_MAX:,} more" if len(lines) > LISTED_MAX else ""
    message = tag("small", state.message) if state.message else None
    return tag("li", badge(state), " ", tag("b", state.reason), names, rest, message)


def _near(view: WatchView, frame: Frame) -> Html | None:
    found = [line for line in view.lines if line.row.status.ready.reason is Reason.LIMIT_NEAR]
    items = [
        tag("li", job_link(line.row.name), f" {warning.limit}, warned ", relative(warning.since, frame.now))
        for line in found[:LISTED_MAX]
        if (warning := line.row.status.warning) is not None
    ]
    more = _more(len(found) - LISTED_MAX, JobQuery().link(q=Reason.LIMIT_NEAR))
    return card("near", f"Near a limit ({len(found)})", tag("ul", items), more) if found else None


def _document_errors(view: WatchView) -> list[Problem]:
    """Return the errors of a pass that no job shows: in documents, and in reconcile itself."""
    return [
        each
        for each in problems(view.watch.report)
        if each.severity is Severity.ERROR and each.code != Reason.REFUSED_BY_GUARD
    ]


def _today(view: WatchView, frame: Frame) -> Html | None:
    if view.watch.finished_at is None:
        return None
    found = view.cancelled_on(frame.now.astimezone(UTC).date())
    items = [
        tag("li", time_of(receipt.confirmed_at), " ", job_link(line.row.name))
        for line, receipt in found[:LISTED_MAX]
        if receipt.confirmed_at is not None
    ]
    total = f"{count(len(found), 'job')} cancelled, as the provider confirmed." if found else "No job was cancelled."
    saved, rest = saved_text(receipt for _, receipt in found), len(found) - LISTED_MAX
    return card(
        "today",
        "Today (UTC)",
        tag("p", total),
        tag("p", f"Not spent: {saved}.") if saved is not None else None,
        tag("ul", items) if items else None,
        tag("p", f"and {rest:,} more") if rest > 0 else None,
    )


def _more(rest: int, link: str) -> Html | None:
    return tag("p", tag("a", f"and {rest:,} more", href=link)) if rest > 0 else None
