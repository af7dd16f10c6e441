from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from reconciler.model.job import Phase
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.status import HistoryEntry
from reconciler.views.events_text import EventList, events_json, events_of, events_text
from reconciler.views.layout import Canvas
from reconciler.views.render_context import RenderContext
from tests.support.reports import CONFIRMED, CONTEXT, NOW, a_row, a_waiting_row


def recorded(row: Row) -> Row:
    """Return the row with its status as the recorded one."""
    return replace(row, before=row.status)


CANCELLED = recorded(a_waiting_row("chat", receipts=(CONFIRMED,)))
RUNNING = recorded(a_row("ranker"))


def test_the_events_of_several_jobs_are_in_the_order_of_time() -> None:
    events = events_of((RUNNING, CANCELLED))

    assert [each.at for each in events] == sorted(each.at for each in events)
    assert [(each.name, each.source, each.text) for each in events if each.source != "observed"] == [
        ("chat", "provider", "created"),
        ("ranker", "provider", "created"),
        ("chat", "requested", "cancel, the spec wants it"),
        ("chat", "requested", "cancel again, 2 times in all"),
        ("chat", "provider", "cancel accepted"),
        ("chat", "confirmed", "cancel: the job was observed cancelled"),
    ]


def test_events_before_the_period_are_left_out() -> None:
    events = events_of((CANCELLED,), NOW - timedelta(minutes=10))

    assert [each.text for each in events] == [
        "cancel again, 2 times in all",
        "cancel accepted",
        "cancel: the job was observed cancelled",
    ]


def test_a_status_that_no_pass_has_recorded_has_no_events() -> None:
    """The status of a job whose spec is not valid is computed by the reader, so its history ends with the reading."""
    history = (HistoryEntry(NOW, Phase.RUNNING, Reason.INVALID_SPEC),)
    computed = replace(RUNNING, status=replace(RUNNING.status, history=history))

    assert events_of((computed,)) == events_of((RUNNING,))
    assert events_of((a_row("new"),)) == []


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_a_table_of_events_fits_the_width(width: int) -> None:
    text = events_text(EventList(events_of((CANCELLED, RUNNING))), RenderContext(Canvas(width), NOW))

    assert max(map(len, text.splitlines())) <= width
    assert "observed cancelled" in " ".join(text.split())


def test_later_events_have_no_titles_and_the_columns_of_the_first_list() -> None:
    width = len("support-triage")
    first = events_text(EventList(events_of((CANCELLED,)), width), CONTEXT).splitlines()
    later = events_text(EventList(events_of((RUNNING,)), width, is_continued=True), CONTEXT).splitlines()

    assert first[0].split() == ["TIME", "(UTC)", "JOB", "SOURCE", "EVENT"]
    assert later[0].index("created") == first[0].index("EVENT")
    assert len(later) == len(events_of((RUNNING,)))


def test_no_events_are_reported_once() -> None:
    assert events_text(EventList([]), CONTEXT) == "No events.\n"
    assert events_text(EventList([], is_continued=True), CONTEXT) == ""


def test_each_event_is_one_json_object() -> None:
    lines = events_json(EventList(events_of((CANCELLED,))), CONTEXT).splitlines()

    assert json.loads(lines[-1]) == {
        "at": "2026-11-23T14:15:00Z",
        "name": "chat",
        "kind": "FineTuningJob",
        "provider": "openai",
        "source": "confirmed",
        "message": "cancel: the job was observed cancelled",
    }
