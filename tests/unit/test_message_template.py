"""Templates of notifications: fields in braces, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.message_template import FIELDS, checked_template, filled
from tests.support.news_cases import a_notification

MESSAGE = a_notification(1, reason="Cancelled", facts={"author": "Ada {text}", "commit": "4be1f0c"})


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{text}", "job-1 was cancelled, as the provider confirmed."),
        ("[prod] {jobs}: {reason} by {author} ({commit})", "[prod] job-1: Cancelled by Ada {text} (4be1f0c)"),
        ("{{{jobs}}}", "{job-1}"),
        ("{severity} {type} {at}", "info job.cancelled 2026-11-23T14:03:21Z"),
        ("since {since}.", "since ."),
        ("{since}", "job-1 was cancelled, as the provider confirmed."),
    ],
)
def test_fields_are_replaced_by_their_values_and_values_are_not_templates(template: str, text: str) -> None:
    assert filled(checked_template(template), MESSAGE) == text


def test_many_jobs_are_cut() -> None:
    message = a_notification(1, jobs=tuple("abcdefgh"))

    assert filled("{jobs}", message) == "a, b, c, d, e and 3 more"


@pytest.mark.parametrize(
    "template",
    ["{", "}", "{}", "{0}", "{text.upper}", "{text[0]}", "{text!r}", "{text:>9}", "{facts}", "{__class__}", "{a b}"],
)
def test_anything_else_in_braces_is_refused(template: str) -> None:
    with pytest.raises(ValueError, match=r"is not a field|has a brace"):
        checked_template(template)


@given(st.lists(st.sampled_from(["{", "}", "{{", "}}", "!", ":", ".", "[0]", *FIELDS]), max_size=8).map("".join))
def test_an_accepted_template_can_be_filled(template: str) -> None:
    try:
        checked_template(template)
    except ValueError:
        return
    assert filled(template, MESSAGE)
