from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import Delivered, Kind, PermanentError, TransientError
from reconciler.plugin import clean, failure
from reconciler.providers import NAMES, load, provider_names
from tests.support.canned_transport import answer


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, Kind.REFUSED), (401, Kind.DENIED), (403, Kind.FORBIDDEN), (404, Kind.REFUSED), (409, Kind.REFUSED)],
)
def test_a_refused_or_denied_request_is_a_permanent_error(status: int, kind: Kind) -> None:
    error = failure(answer({}, status), "words")

    assert isinstance(error, PermanentError)
    assert (error.kind, str(error)) == (kind, "words")


@pytest.mark.parametrize(
    ("status", "delivered"),
    [
        (408, Delivered.UNKNOWN),
        (425, Delivered.UNKNOWN),
        (429, Delivered.NO),
        (500, Delivered.UNKNOWN),
        (503, Delivered.UNKNOWN),
        (599, Delivered.UNKNOWN),
    ],
)
def test_a_timeout_rate_limit_or_server_error_is_transient(status: int, delivered: Delivered) -> None:
    error = failure(answer({}, status, retry_after_s=7.0), "words")

    assert isinstance(error, TransientError)
    assert (error.delivered, error.retry_after_s) == (delivered, 7)


@given(st.text("ehtps:/?& \n\x00\x1bé\u2028\ud800"))
def test_cleaned_text_is_one_printable_line_and_cleaning_is_idempotent(text: str) -> None:
    once = clean(text, 20)

    assert once.isprintable()
    assert len(once) <= 20
    assert clean(once, 20) == once


@pytest.mark.parametrize("name", sorted(NAMES))
def test_every_built_in_provider_type_is_loaded_by_its_name(name: str) -> None:
    assert load(name).name == name
    assert name in provider_names()


@pytest.mark.parametrize(("name", "hint"), [("opnai", "did you mean 'openai'"), ("x", "the types are anthropic, ")])
def test_the_error_for_an_unknown_provider_type_suggests_known_types(name: str, hint: str) -> None:
    with pytest.raises(LookupError, match=re.escape(hint)):
        load(name)


@pytest.mark.parametrize("id_", ["ftjob-abc123", "ft:gpt-4o:org::1", "batch-1.2"])
def test_job_ids_of_compatible_services_are_valid(id_: str) -> None:
    assert re.fullmatch(load("openai").id_pattern, id_)


@pytest.mark.parametrize("id_", ["", "..", "a..b", "a/b", "a?b", "a b", "-a", "a\n", "é", "a" * 129])
def test_an_id_that_could_alter_the_request_path_is_invalid(id_: str) -> None:
    assert re.fullmatch(load("openai").id_pattern, id_) is None
