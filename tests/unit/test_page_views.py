"""The pages of a watch: what they say first, their empty states, and that no text becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

import pytest

from reconciler.model.diagnostic import Diagnostic
from reconciler.model.election import ElectionStatus
from reconciler.model.job import Phase, Unobserved
from reconciler.model.reason import Reason
from reconciler.model.report import Report, Row
from reconciler.model.status import ConditionType
from reconciler.model.watch_status import WatchStatus
from reconciler.views.accounts_page import accounts_page
from reconciler.views.job_page import job_page
from reconciler.views.overview_page import overview_page
from reconciler.views.page_layout import Frame
from reconciler.views.watch_view import WatchView, changed_names, watch_view
from tests.support.page_scene import (
    MONOTONIC,
    OUTAGE,
    WEST,
    a_cancelled_job,
    a_job,
    a_refused_job,
    a_watch,
    calm,
    refused,
)
from tests.support.reports import NOW

FRAME = Frame(NOW, MONOTONIC, "1-7-000", "/page.css", "/page.js")
STARTING = WatchStatus(interval_s=60, heartbeat_at=MONOTONIC, progress_at=MONOTONIC, watched_at=MONOTONIC)


def overview(watch: WatchStatus, **parameters: str) -> str:
    return overview_page(watch_view(watch), list(parameters.items()), FRAME)


def text_of(html: str) -> str:
    """Return what a reader of the page sees, in one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def headline_of(html: str) -> str:
    (found,) = re.findall(r'<h1 id="headline"[^>]*>(.*?)</h1>', html)
    return text_of(found)


def title_of(html: str) -> str:
    (found,) = re.findall(r"<title>(.*?)</title>", html)
    return text_of(found)


def test_the_headline_of_a_calm_watch_counts_its_jobs() -> None:
    html = overview(a_watch(calm()))

    assert headline_of(html) == "Healthy: 18 as desired; 1 on the way; 1 suspended."
    assert title_of(html) == "healthy · reconcile"


@pytest.mark.parametrize(
    ("watch", "sentence", "title"),
    [
        (a_watch(calm(), OUTAGE), "1 account cannot be observed.", "1 account cannot be observed"),
        (a_watch(refused()), "5 jobs need attention.", "5 jobs need attention"),
        (
            a_watch([*calm(), a_refused_job("core-1")], OUTAGE),
            "1 account cannot be observed, 1 job needs attention.",
            "1 account cannot be observed, 1 job needs attention",
        ),
        (STARTING, "Starting: the first pass has not ended.", "starting"),
        (
            replace(a_watch(calm()), is_stopping=True),
            "The watch is stopping: it finishes what is in progress.",
            "stopping",
        ),
        (
            replace(a_watch(calm()), leadership=ElectionStatus("lease:a/b", holder="other")),
            "Standing by for lease:a/b: other holds the lease.",
            "standing by",
        ),
        (
            replace(a_watch(calm()), is_halted=True),
            "No change is requested: the specs cannot be acted on, or the Settings are not valid.",
            "no changes",
        ),
        (
            replace(a_watch(calm()), heartbeat_at=0.0),
            "Not working: the event loop is blocked: nothing has run for 1000 s.",
            "not working",
        ),
    ],
)
def test_the_headline_and_the_title_say_what_is_wrong_first(watch: WatchStatus, sentence: str, title: str) -> None:
    html = overview(watch)

    assert headline_of(html) == sentence
    assert title_of(html) == f"{title} · reconcile"


EMPTY = {
    "starting": (STARTING, {}, "Starting: the first pass has not ended."),
    "no job": (a_watch([]), {}, "No job is declared yet. reconcile adopt writes a spec for each job of an account."),
    "no match": (a_watch(calm()), {"q": "xyz"}, "No job matches. Clear the filters"),
    "not seen": (a_watch(calm(), OUTAGE), {}, "west since 03:11:00 UTC ( 11h4m ago ): cannot connect to west"),
}


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_declared_nothing_matching_starting_and_not_seen_are_told_apart(name: str) -> None:
    watch, parameters, sentence = EMPTY[name]
    text = text_of(overview(watch, **parameters))

    assert sentence in text
    assert [other for other, (_, _, each) in EMPTY.items() if other != name and each in text] == []


def test_the_pulse_says_when_the_last_pass_was_and_what_is_next() -> None:
    text = text_of(overview(a_watch(calm())))

    assert "Last pass 12s ago (took 1.4 s)" in text
    assert "next: search-rerank-7b in 48s (check whether the cancel took effect)" in text
    assert "specs at 4be1f0c" in text


def test_an_outage_is_shown_with_its_time_and_marks_each_of_its_jobs() -> None:
    html = overview(a_watch(calm(), OUTAGE), provider="west")
    rows = [text_of(row) for row in re.findall(r"<tr data-key.*?</tr>", html)]

    assert "6 jobs shown as last observed" in text_of(html)
    assert len(rows) == 6
    assert all("not seen CannotObserveProvider running before 03:11:00 UTC" in row for row in rows)


def test_jobs_that_need_a_person_for_one_reason_are_listed_with_it_once() -> None:
    html = overview(a_watch(refused()))
    (card,) = re.findall(r'<section id="people".*?</section>', html)

    assert text_of(card).count("4 changes wanted at once") == 1
    assert re.findall(r'href="/jobs/([^"]+)"', card) == [f"core-east-{number}" for number in range(1, 6)]


def test_errors_of_documents_need_a_person_too() -> None:
    watch = a_watch(calm())
    broken = Diagnostic(file="specs/a.yaml", line=7, message="unknown field")
    html = overview(replace(watch, report=replace(watch.report, diagnostics=(broken,))))

    assert headline_of(html) == "1 error in documents or in reconcile."
    assert "specs/a.yaml:7: unknown field" in text_of(html)


def test_cancelled_today_counts_only_confirmed_cancels_of_this_utc_day() -> None:
    rows = [a_cancelled_job("this-morning", 60), a_cancelled_job("yesterday", 15 * 60), a_job("running")]
    (card,) = re.findall(r'<section id="today".*?</section>', overview(a_watch(rows)))

    assert text_of(card) == "Today (UTC) 1 job cancelled, as the provider confirmed. 13:15:00 UTC this-morning"


def test_the_totals_above_the_table_are_those_of_its_rows() -> None:
    watch = a_watch([a_job(f"job-{number:03}") for number in range(250)])

    assert "Jobs 101 to 200 of 250" in text_of(overview(watch, page="2"))
    assert "Jobs 1 to 10 of 10 that match (250 in all)" in text_of(overview(watch, q="job-01"))
    assert overview(watch, q="job-01").count("<tr data-key") == 10
    assert overview(watch, page="all").count("<tr data-key") == 250


def test_each_link_of_the_table_keeps_the_filter() -> None:
    html = overview(a_watch([a_job(f"job-{number:03}") for number in range(250)]), q="job", page="2")
    links = [unescape(each) for each in re.findall(r'href="(/\?[^"]+)"', html)]

    assert len(links) > 8
    assert [each for each in links if "q=job" not in each] == []


def test_an_ignored_parameter_is_named() -> None:
    assert "Ignored, because it is not valid: phase=runing" in text_of(overview(a_watch(calm()), phase="runing"))


def job(name: str, watch: WatchStatus) -> str:
    return job_page(name, watch_view(watch), FRAME)


def test_the_page_of_a_job_has_its_spec_its_state_what_to_do_and_its_history() -> None:
    text = text_of(job("core-east-1", a_watch(refused())))

    assert "FineTuningJob · east · search/jobs.yaml:12 at 4be1f0c" in text
    assert "refused RefusedByGuard since" in text
    assert "What to do: Read the plan." in text
    assert "Approve-Cancels: N" in text
    assert "reconcile plan" in text


def test_the_history_of_a_job_is_newest_first_and_has_its_receipt() -> None:
    html = job("runaway-ranker", a_watch(calm()))
    rows = [text_of(row) for row in re.findall(r"<tr><td>.*?</tr>", html)]

    assert [row.split(maxsplit=2)[2] for row in rows] == [
        "confirmed cancel: the job was observed cancelled",
        "provider cancel accepted",
        "requested cancel, the spec wants it: learning rate 10x too high, see #412",
        "observed cancelled, Cancelled",
        "provider created",
    ]
    assert "reconcile suspend" not in html


def test_two_specs_of_one_name_are_both_on_its_page() -> None:
    first = a_job("twice")
    html = job("twice", a_watch([first, replace(first, source="other.yaml", line=3)]))

    assert "other.yaml:3" in html
    assert "jobs.yaml:12" in html


def test_an_unknown_job_has_a_page_with_similar_names() -> None:
    text = text_of(job("runaway-rankr", a_watch(calm())))

    assert "No job is called runaway-rankr." in text
    assert "Similar names: runaway-ranker" in text


def test_the_page_of_accounts_shows_when_each_was_seen_its_rate_and_its_budget() -> None:
    html = accounts_page(watch_view(a_watch(calm(), OUTAGE)), FRAME)
    east, batches, west = (text_of(row) for row in re.findall(r"<tr data-key.*?</tr>", html))

    assert "every job observed 12s ago 13 2/s, ceiling 4/s at its ceiling closed 2 here, 3 in all" in east
    assert batches.startswith(
        "east BatchJob openai https://api.openai.com/v1 project=proj_east every job observed 41s ago 1"
    )
    assert f"{WEST} not observed since 03:11:00 UTC ( 11h4m ago ) cannot connect to west" in west
    assert "10/s rises when needed paused, next try in 40s" in west


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> &amp; \u202e"


def hostile() -> list[Row]:
    """Return jobs whose texts all attack the page."""
    row = a_job("hostile", reason=Reason.JOB_FAILED, message=HOSTILE, also=ConditionType.STALLED)
    cancelled = a_cancelled_job("cancelled")
    receipt = replace(cancelled.status.receipts[0], reason=HOSTILE, approved_by=HOSTILE)
    return [
        replace(row, name=HOSTILE, source=HOSTILE, provider=HOSTILE),
        replace(cancelled, name=HOSTILE, status=replace(cancelled.status, receipts=(receipt,))),
        a_job("unseen", WEST, unobserved=HOSTILE, phase=Phase.RUNNING),
    ]


def test_no_text_of_a_spec_a_commit_or_a_provider_becomes_markup() -> None:
    watch = a_watch(hostile(), replace(OUTAGE, message=HOSTILE, name=HOSTILE))
    watch = replace(watch, report=replace(watch.report, revision=HOSTILE, errors=(HOSTILE,)))
    pages = [
        overview(watch),
        overview(watch, q=HOSTILE, provider=HOSTILE, selector=f"a={HOSTILE}", phase=HOSTILE),
        job(HOSTILE, watch),
        job(f"{HOSTILE}x", watch),
        accounts_page(watch_view(watch), FRAME),
    ]
    elements = {name for html in pages for name in re.findall(r"<([a-z]+)", html)}

    assert "img" not in elements
    assert {each for html in pages for each in re.findall(r"<script[^>]*>", html)} == {'<script src="/page.js" defer>'}
    assert [html for html in pages if "\u202e" in html] == []
    assert all("&lt;script&gt;" in html for html in pages)


def test_only_jobs_whose_line_differs_are_reported_as_changed() -> None:
    before = watch_view(a_watch(calm()))
    rows = [a_refused_job(row.name) if row.name == "support-triage-03" else row for row in calm()]
    after = watch_view(a_watch([*rows[:-1], a_job("new")]))

    assert changed_names(before, watch_view(a_watch(calm()))) == []
    assert changed_names(before, after) == ["new", "nightly-labels", "support-triage-03"]
    assert changed_names(before, watch_view(a_watch(calm(), OUTAGE))) == [f"legal-summary-{n:02}" for n in range(6)]


def test_a_time_of_another_day_is_shown_with_its_date() -> None:
    old = replace(OUTAGE, since=NOW - timedelta(days=2))

    assert "since 2026-11-21 14:15 UTC" in text_of(overview(a_watch(calm(), old)))


def test_an_empty_report_has_no_totals_to_count() -> None:
    html = overview(replace(a_watch([]), report=Report()))

    assert headline_of(html) == "Healthy: no job is declared."
    assert "<table" not in html


def states(view: WatchView) -> dict[str, str]:
    return {line.row.name: line.state.job_state for line in view.lines}


def test_a_view_from_the_view_before_says_the_same_as_a_new_one() -> None:
    rows = calm()
    failed = [replace(row, unobserved=Unobserved(Reason.RATE_LIMITED, "later")) for row in rows]
    changed = [a_refused_job(row.name) if "triage" in row.name else row for row in rows]
    watches = [
        a_watch(rows),
        a_watch(failed),
        a_watch(rows),
        a_watch(rows, OUTAGE),
        a_watch(rows, replace(OUTAGE, message="another failure")),
        a_watch(rows),
        a_watch(changed),
        a_watch(changed[1:]),
    ]
    view = None
    for watch in watches:
        view, new = watch_view(watch, view), watch_view(watch)

        assert states(view) == states(new)
        assert overview_page(view, [], FRAME) == overview_page(new, [], FRAME)


def test_a_job_that_has_not_changed_is_taken_from_the_view_before() -> None:
    watch = a_watch(calm())
    before = watch_view(watch)
    after = watch_view(replace(watch, passes=8), before)

    assert [a is b for a, b in zip(after.lines, before.lines, strict=True)] == [True] * len(before.lines)


def test_the_page_of_a_leader_names_its_lease() -> None:
    html = overview(replace(a_watch(calm()), leadership=ElectionStatus("lease:a/b", is_leader=True)))

    assert headline_of(html) == "Healthy: 18 as desired; 1 on the way; 1 suspended."
    assert "leading, with lease:a/b" in html
