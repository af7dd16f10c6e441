"""The announced ends that the built-in types declare: each row is confirmed once its day has passed.

The product reads the clock, so it reports an end correctly on any day. Only the mark `has_ended`, and with it the
documents, needs a person. A row therefore fails here a month after its day and not on the day itself, so that
there is time to confirm it before the test blocks other changes. `test_a_row_...` prove the check for days that are
passed as values.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from reconciler.plugin import Retirement
from reconciler.ports import jobs_by_kind
from reconciler.providers import NAMES, load

GRACE = timedelta(days=30)
MODULE = "reconciler/providers/_retirements.py"
END = Retirement(what="the creation of jobs", on=date(2027, 1, 6), source="example.org/ends")
ROWS = {
    each: f"{name} {kind}"
    for name in NAMES
    for kind, jobs in jobs_by_kind(load(name)).items()
    for each in jobs.capabilities.retirements
}


def complaints(rows: Iterable[Retirement], today: date) -> Iterator[str]:
    """Yield what to change about each row that is not true on this day."""
    for each in rows:
        if not each.has_ended and today - each.on > GRACE:
            yield f"{MODULE}: confirm at {each.source} that {each.what} ended on {each.on}, and set has_ended=True"
        if each.has_ended and each.on > today:
            yield f"{MODULE}: {each.what} ends on {each.on}, which has not passed: remove has_ended"


def test_every_announced_end_is_confirmed_within_a_month_of_its_day() -> None:
    assert ROWS
    assert list(complaints(ROWS, datetime.now(UTC).date())) == []


@pytest.mark.parametrize(
    ("today", "has_ended", "complaint"),
    [
        (date(2026, 11, 30), False, None),
        (date(2027, 1, 6), False, None),
        (date(2027, 2, 5), False, None),
        (date(2027, 2, 6), False, "confirm at example.org/ends that the creation of jobs ended on 2027-01-06"),
        (date(2027, 2, 6), True, None),
        (date(2027, 1, 5), True, "the creation of jobs ends on 2027-01-06, which has not passed: remove has_ended"),
    ],
)
def test_a_row_whose_day_passed_without_confirmation_is_reported(
    today: date, complaint: str | None, *, has_ended: bool
) -> None:
    row = Retirement(what=END.what, on=END.on, source=END.source, has_ended=has_ended)
    found = list(complaints([row], today))

    assert len(found) == (complaint is not None)
    assert all(complaint is not None and complaint in each for each in found)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.on} {row.what[:30]}")
def test_a_row_names_an_end_and_a_source_that_a_person_can_open(row: Retirement) -> None:
    assert "." in row.source.partition("/")[0]
    assert not row.what.endswith(("ends", "ended", "."))
    assert type(row.on) is date


@pytest.mark.parametrize(("has_ended", "verb"), [(False, "ends"), (True, "ended")])
def test_the_text_of_an_end_is_in_the_past_tense_only_once_it_was_confirmed(verb: str, *, has_ended: bool) -> None:
    row = Retirement(what=END.what, on=END.on, source=END.source, has_ended=has_ended)

    assert str(row) == f"the creation of jobs {verb} on 2027-01-06 (example.org/ends)"
