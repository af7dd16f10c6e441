from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.views.text import clean, count, did_you_mean, names, nearest, span


@given(st.text())
def test_external_text_is_cleaned_to_one_printable_line(text: str) -> None:
    shown = clean(text)

    assert shown.isprintable()
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain, naïve and 数", "plain, naïve and 数"),
        ("two\nlines\tand\u2028more", "two lines and more"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("turned \u202e round", r"turned \u202e round"),
        ("half \udc80", r"half \udc80"),
        ("[bold]no markup[/bold]", "[bold]no markup[/bold]"),
    ],
)
def test_unprintable_characters_are_shown_as_escapes(text: str, shown: str) -> None:
    assert clean(text) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "0s"),
        (0, "0s"),
        (59, "59s"),
        (60, "1m"),
        (61, "1m1s"),
        (5 * 3600 + 3 * 60 + 9, "5h3m"),
        (6 * 3600 + 9, "6h"),
        (3 * 86_400 + 4 * 3600 + 59 * 60, "3d4h"),
    ],
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: int, shown: str) -> None:
    assert span(timedelta(seconds=seconds)) == shown


def test_a_count_uses_the_singular_for_one_and_thousands_separators() -> None:
    assert [count(number, "job") for number in (0, 1, 2000)] == ["0 jobs", "1 job", "2,000 jobs"]


def test_a_list_of_names_is_cut_after_five() -> None:
    assert names(["a", "b"]) == "a, b"
    assert names([str(number) for number in range(8)]) == "0, 1, 2, 3, 4 and 3 more"


JOBS = [f"job-{number}" for number in range(1, 200) if number != 12]


@pytest.mark.parametrize(
    ("word", "known", "found"),
    [
        ("job-12", JOBS, ("job-11", "job-13", "job-10")),
        ("job-5", ["job-05", "job-15", "job-25"], ("job-05", "job-15", "job-25")),
        ("east-5-1", ["east-5-9", "east-6-1", "west-5-1"], ("east-6-1", "east-5-9", "west-5-1")),
        ("CHAT", ["chat", "cat", "docs"], ("chat", "cat")),
        ("suport", ["support", "sport", "port"], ("support", "sport", "port")),
        ("zzz", ["chat"], ()),
        ("--selecter", ["--selector", "--specs", "-v"], ("--selector",)),
        ("--bogus", ["--push", "--verbose"], ()),
        ("job-9999", ["job-1"], ("job-1",)),
        ("a-9999", ["a-1"], ()),
        ("x" * 10_000, ["chat"], ()),
        ("chat", [], ()),
    ],
)
def test_similar_words_are_ordered_by_number_and_then_by_likeness(
    word: str, known: list[str], found: tuple[str, ...]
) -> None:
    assert nearest(word, known) == found


def test_a_suggestion_names_up_to_three_words() -> None:
    assert did_you_mean("job-12", JOBS) == "Did you mean 'job-11', 'job-13' or 'job-10'?"
    assert did_you_mean("chta", ["chat", "docs"]) == "Did you mean 'chat'?"
    assert did_you_mean("zzz", ["chat"]) == ""
