"""Which jobs the page selects, and its links: one selection for the table, its totals and its links."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.job import Phase
from reconciler.views.job_query import ALL, DEFAULT, PAGE_SIZE, SORTS, JobQuery, parse_query, select
from reconciler.views.row_state import JobState
from reconciler.views.watch_view import JobLine, watch_view
from tests.support.page_scene import OUTAGE, SCENES, a_job, a_watch, refused

LINES = watch_view(a_watch(refused(), OUTAGE)).lines


def names(**parameters: str) -> list[str]:
    query, ignored = parse_query(parameters.items())
    assert ignored == []
    return [line.row.name for line in select(LINES, query).lines]


@pytest.mark.parametrize(
    ("parameters", "some"),
    [
        ({"state": "refused"}, {f"core-east-{number}" for number in range(1, 5)}),
        ({"state": "needs attention"}, {f"core-east-{number}" for number in range(1, 6)}),
        ({"state": "cannot be observed"}, {f"legal-summary-{number:02}" for number in range(6)}),
        ({"phase": "absent"}, {"core-east-5"}),
        ({"kind": "BatchJob"}, {"nightly-labels"}),
        ({"provider": "west"}, {f"legal-summary-{number:02}" for number in range(6)}),
        ({"q": "JOBNOTFOUND"}, {"core-east-5"}),
        ({"q": "ftjob-eval"}, {"eval-embeddings"}),
        ({"q": "incident 7"}, {"eval-embeddings"}),
        ({"provider": "east", "phase": "cancelled", "q": "ranker"}, {"runaway-ranker"}),
    ],
)
def test_each_filter_selects_the_jobs_it_names(parameters: dict[str, str], some: set[str]) -> None:
    assert set(names(**parameters)) == some


def test_a_selector_selects_by_labels_as_the_option_does() -> None:
    teams = {line.row.name: line.row.document.metadata.labels["team"] for line in LINES if line.row.document}

    assert names(selector="team=legal")
    assert set(names(selector="team=legal")) == {name for name, team in teams.items() if team == "legal"}
    assert names(selector="team=legal,env=prod") == []


def test_the_default_order_begins_with_what_a_person_must_look_at() -> None:
    states = list(dict.fromkeys(line.state.job_state for line in select(LINES, DEFAULT).lines))

    assert states == [
        JobState.REFUSED,
        JobState.STALLED,
        JobState.UNOBSERVED,
        JobState.ON_THE_WAY,
        JobState.SUSPENDED,
        JobState.AS_DESIRED,
    ]


@pytest.mark.parametrize("sort", SORTS)
def test_jobs_without_a_value_come_last_in_both_directions(sort: str) -> None:
    def keys(direction: str) -> list[object]:
        return [SORTS[sort](line) for line in select(LINES, JobQuery(sort=f"{direction}{sort}")).lines]

    up, down = keys(""), keys("-")
    known = [key for key in up if key is not None]

    assert known == up[: len(known)] == down[: len(known)][::-1]
    assert None not in down[: len(known)]


def test_what_is_not_understood_is_ignored_and_named() -> None:
    query, ignored = parse_query([("phase", "runing"), ("page", "0"), ("page", "x"), ("selector", "a"), ("team", "b")])

    assert query == DEFAULT
    assert ignored == ["phase=runing", "page=0", "page=x", "selector=a", "team=b"]


VALUES = {
    "state": ["", "refused", "needs attention"],
    "phase": ["", *Phase],
    "kind": ["", "BatchJob"],
    "selector": ["", "team=a b,env=ä&c"],
    "sort": ["state", "-job"],
    "page": ["1", "7", ALL],
}
CHOSEN = {name: st.sampled_from(values) for name, values in VALUES.items()}
QUERIES = st.builds(JobQuery, provider=st.text().map(str.strip), q=st.text().map(str.strip), **CHOSEN)


@given(query=QUERIES)
def test_a_link_leads_to_the_query_that_made_it(query: JobQuery) -> None:
    again, ignored = parse_query(parse_qsl(urlsplit(query.link(page=query.page)).query, keep_blank_values=True))

    assert again == query
    assert ignored == []


def test_a_link_to_another_filter_or_order_leads_to_the_first_page() -> None:
    assert JobQuery(provider="east", page="3").link(sort="-job") == "/?provider=east&sort=-job"
    assert JobQuery(provider="east", page="3").link(page="4") == "/?provider=east&page=4"
    assert JobQuery(provider="east").link(provider="") == "/"


def many(number: int) -> tuple[JobLine, ...]:
    return watch_view(a_watch([a_job(f"job-{each:05}") for each in range(number)])).lines


def test_pages_have_a_hundred_jobs_and_every_job_is_on_one_of_them() -> None:
    lines = many(250)
    pages = [select(lines, JobQuery(page=str(page))) for page in (1, 2, 3)]

    assert [len(each.lines) for each in pages] == [PAGE_SIZE, PAGE_SIZE, 50]
    assert [each.first for each in pages] == [1, 101, 201]
    assert [line for each in pages for line in each.lines] == select(lines, JobQuery(page=ALL)).lines
    assert {(each.matching, each.total, each.pages) for each in pages} == {(250, 250, 3)}


def test_a_page_after_the_last_one_is_the_last_one() -> None:
    selected = select(many(250), JobQuery(page="99"))

    assert (selected.query.page, selected.first) == ("3", 201)


@pytest.mark.parametrize("scene", SCENES)
def test_a_selection_without_a_match_is_empty_and_still_knows_the_total(scene: str) -> None:
    lines = watch_view(SCENES[scene]()).lines
    selected = select(lines, JobQuery(q="no such job"))

    assert (list(selected.lines), selected.matching, selected.total) == ([], 0, len(lines))
