from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from reconciler.model.job import Account
from reconciler.model.scalar import parse_duration, parse_instant, quoted, render_duration, render_instant
from reconciler.model.spec import FineTuningJob, ProviderSpec, RateLimit, SettingsSpec, spec_digest
from tests.support.build import ACCOUNT, a_spec


@pytest.mark.parametrize(
    ("spec", "digest"),
    [
        ({}, "ff5dbd289761ab6ad9068a6c634f22b80630d1b59a49d892b7fe065c79a3235a"),
        ({"desiredState": "running"}, "224277605cbaada8f47e86674a75c5e8d8f2dff59c08386e02a61fc80a6139a6"),
        (
            {"limits": {"maxAge": "24h", "notAfter": "2026-12-01T00:00:00Z"}},
            "8ece36ed9b2bb9077746eb927e753b33eff773544d6b665c73be73e78b61e6ca",
        ),
        (
            {"suspend": {"until": "2026-11-25T08:00:00Z"}},
            "d12588fb36e8d404060247ccf28eab7f698fd100b973a258b87884033b4fbf68",
        ),
    ],
)
def test_the_digest_of_a_spec_never_changes(spec: dict[str, Any], digest: str) -> None:
    assert spec_digest(a_spec(**spec).spec, ACCOUNT) == f"sha256:{digest}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({}, {"reason": "see #412"}),
        ({"suspend": "true"}, {"suspend": {"reason": "incident 7"}}),
        ({"suspend": "false"}, {}),
        ({"limits": {"maxAge": "24h"}}, {"limits": {"maxAge": "1d"}}),
        ({"limits": {"notAfter": "2026-12-01T01:00:00+01:00"}}, {"limits": {"notAfter": "2026-12-01T00:00:00Z"}}),
    ],
)
def test_equivalent_specs_have_the_same_digest(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert spec_digest(a_spec(**one).spec, ACCOUNT) == spec_digest(a_spec(**other).spec, ACCOUNT)


@given(*(st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20) for _ in range(2)))
def test_the_digest_of_a_short_spec_is_that_of_the_same_spec_with_a_field_that_means_nothing(
    provider: str, job_id: str
) -> None:
    short = a_spec(provider=provider, jobId=job_id)
    long = a_spec(provider=provider, jobId=job_id, reason="see #412", suspend="false")

    assert spec_digest(short.spec, ACCOUNT) == spec_digest(long.spec, ACCOUNT)


def test_different_specs_and_accounts_have_different_digests() -> None:
    elsewhere = Account("openai", "https://eu.api.openai.com/v1")
    digests = {
        spec_digest(a_spec().spec, ACCOUNT),
        spec_digest(a_spec().spec, elsewhere),
        spec_digest(a_spec(jobId="ftjob-other").spec, ACCOUNT),
        spec_digest(a_spec(suspend="true").spec, ACCOUNT),
        spec_digest(a_spec(limits={"maxQueued": "6h"}).spec, ACCOUNT),
    }

    assert len(digests) == 5


@given(st.integers(1, 999_999_999))
def test_a_duration_survives_rendering_and_parsing(seconds: int) -> None:
    span = timedelta(seconds=seconds)

    assert parse_duration(render_duration(span)) == span


@given(st.datetimes(min_value=datetime(1, 1, 2), max_value=datetime(9999, 12, 30), timezones=st.just(UTC)))  # noqa: DTZ001
def test_a_time_survives_rendering_and_parsing_to_the_second(moment: datetime) -> None:
    assert parse_instant(render_instant(moment)) == moment.replace(microsecond=0)


def test_times_are_converted_to_utc() -> None:
    moment = datetime(2026, 12, 1, 1, tzinfo=timezone(timedelta(hours=1)))

    assert render_instant(moment) == "2026-12-01T00:00:00Z"
    assert parse_instant("2026-12-01t01:00:00.5+01:00") == datetime(2026, 12, 1, 0, 0, 0, 500_000, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "6", "h", "1.5h", "-1h", "1h30m", "٣h", "6H", " 6h", "1w"])
def test_invalid_durations_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    ["2026-12-01", "2026-12-01T00:00:00", "2026-13-01T00:00:00Z", "2026-12-01T24:30:00Z", "1764547200", "now", "٢٠٢٦"],
)
def test_invalid_times_and_times_without_a_zone_are_rejected(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a (valid )?time"):
        parse_instant(text)


@pytest.mark.parametrize(
    "spec",
    [
        {"jobId": "a\nb"},
        {"jobId": " ftjob-1"},
        {"jobId": "ftjob-\u202e1"},
        {"provider": ""},
        {"reason": "x" * 1025},
        {"reason": "bell \x07"},
        {"limits": {"maxAge": "0s"}},
        {"limits": {"maxAge": "999999999d"}},
        {"suspend": "yes"},
    ],
)
def test_invalid_values_in_a_job_spec_are_rejected(spec: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        a_spec(**spec)


def test_a_reason_may_have_several_lines_and_any_script() -> None:
    reason = "zu hohe Lernrate\n学習率 🙂"

    assert a_spec(reason=reason).spec.reason == reason


@pytest.mark.parametrize("credentials", [{}, {"env": "KEY", "file": "/run/secrets/key"}, {"env": "sk-proj-1"}])
def test_credentials_must_name_one_source_and_the_error_repeats_no_secret(credentials: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as caught:
        ProviderSpec.model_validate({"type": "openai", "credentials": credentials})

    assert "sk-proj-1" not in str(caught.value)


@pytest.mark.parametrize("url", ["https://user:hunter2@host/v1", "https://host/?key=hunter2", "ftp://host", "host"])
def test_an_invalid_base_url_is_rejected_without_repeating_its_secret(url: str) -> None:
    with pytest.raises(ValidationError) as caught:
        ProviderSpec.model_validate({"type": "openai", "baseUrl": url})

    assert "hunter2" not in str(caught.value)


def test_the_interval_in_settings_must_be_at_least_15_seconds() -> None:
    assert SettingsSpec.model_validate({"interval": "15s"}).interval == timedelta(seconds=15)
    with pytest.raises(ValidationError, match="at least 15s"):
        SettingsSpec.model_validate({"interval": "14s"})


@pytest.mark.parametrize("text", ["1_0", "1e3", "0x10", "nan", "inf", "-1", "", "٣"])
def test_a_rate_limit_must_be_a_plain_number(text: str) -> None:
    with pytest.raises(ValidationError):
        RateLimit.model_validate({"requestsPerSecond": text})
    with pytest.raises(ValidationError):
        RateLimit.model_validate({"burst": text})


def test_rate_limit_numbers_are_parsed_from_text() -> None:
    rate = RateLimit.model_validate({"requestsPerSecond": "0.5", "burst": "010"})

    assert (rate.requests_per_second, rate.burst) == (0.5, 10)


def test_the_json_schema_allows_a_boolean_for_suspend() -> None:
    suspend = FineTuningJob.model_json_schema()["$defs"]["JobSpec"]["properties"]["suspend"]

    assert {"type": "boolean"} in suspend["anyOf"]


def test_a_quoted_value_is_shortened_and_contains_no_escape_character() -> None:
    shown = quoted("\x1b[31m" + "x" * 200)

    assert len(shown) < 90
    assert "\x1b" not in shown
