"""The Grafana dashboard: its structure, and that its queries name metrics that a scrape has."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations
from typing import Any

from tests.support.dashboard import dashboard, queries
from tests.support.full_scrape import families, full_scrape

WIDTH = 24
VARIABLE = {"type": "prometheus", "uid": "${datasource}"}
NOT_SHOWN = {
    "reconcile_guard_cancels_cost_overall",
    "reconcile_guard_changes_overall",
    "reconcile_guard_doubt",
    "reconcile_guard_max_cancel_percent",
    "reconcile_guard_max_cancels",
    "reconcile_interval_seconds",
    "reconcile_provider_request_rate_limit",
    "reconcile_rate_limiter_wait_seconds",
    "reconcile_reconcile",
    "reconcile_reconcile_errors",
    "reconcile_terminal_reconcile_errors",
    "reconcile_warnings_duration_seconds",
    "reconcile_workqueue_longest_running_processor_seconds",
    "reconcile_workqueue_retries",
}
"""Metrics for alerts, or for the search of a cause. A new metric gets a panel, or a reason to be here."""
_METRIC = re.compile(r"\b(?:reconcile|process)_\w+")


def values_of(document: Any, key: str) -> Iterator[Any]:
    """Yield each value with a key, at any depth."""
    if isinstance(document, dict):
        for name, value in document.items():
            if name == key:
                yield value
            yield from values_of(value, key)
    if isinstance(document, list):
        for each in document:
            yield from values_of(each, key)


def test_ids_and_references_are_unique() -> None:
    panels = dashboard()["panels"]
    ids = [panel["id"] for panel in panels]
    references = [[target["refId"] for target in panel["targets"]] for panel in panels]

    assert len(ids) == len(set(ids))
    assert all(len(each) == len(set(each)) for each in references)


def test_panels_have_titles_and_do_not_overlap() -> None:
    panels = dashboard()["panels"]
    places = [panel["gridPos"] for panel in panels]
    overlaps = [
        (one, other)
        for one, other in combinations(places, 2)
        if one["x"] < other["x"] + other["w"]
        and other["x"] < one["x"] + one["w"]
        and one["y"] < other["y"] + other["h"]
        and other["y"] < one["y"] + one["h"]
    ]

    assert overlaps == []
    assert all(place["x"] + place["w"] <= WIDTH for place in places)
    assert len({panel["title"] for panel in panels}) == len(panels)


def test_every_data_source_is_the_variable() -> None:
    document = dashboard()
    names = [each["name"] for each in document["templating"]["list"]]

    assert "__inputs" not in document
    assert list(values_of(document, "datasource")) == [VARIABLE] * len(list(values_of(document, "datasource")))
    assert all("datasource" in each for panel in document["panels"] for each in (panel, *panel["targets"]))
    assert names == ["datasource", "account"]


def test_every_metric_of_a_query_is_in_a_scrape() -> None:
    scraped = {line.partition("{")[0].partition(" ")[0] for line in full_scrape().splitlines() if line[0] != "#"}
    asked = {name for query in queries() for name in _METRIC.findall(query)}

    assert asked
    assert asked <= scraped


def test_every_metric_of_a_watch_is_in_a_panel() -> None:
    asked = {name for query in queries() for name in _METRIC.findall(query)}
    shown = {re.sub("_(bucket|total)$", "", name) for name in asked}

    assert {family.name for family in families()} - shown - NOT_SHOWN == set()
    assert {family.name for family in families()} >= NOT_SHOWN


def test_every_metric_of_the_documented_scrape_has_a_series() -> None:
    assert [family.name for family in families() if not family.samples] == []
