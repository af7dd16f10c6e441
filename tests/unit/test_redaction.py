"""The redaction of secrets in every encoding that a careless provider, gateway or library may use."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from html import escape
from textwrap import wrap
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from reconciler.model.job import JobError, JobPage, ObservedJob, Phase
from reconciler.redacted_provider import without_secrets
from reconciler.redaction import NEARLY, PIECE_MAX, REDACTED, RUN_MIN, SECRET_MIN, Secrets

KEY = "sk-Proj/AbC+d_3f9Zq=="
Guise = Callable[[str], str]


def percent(text: str) -> str:
    return quote(text, safe="")


def in_base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def for_urls(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


GUISES: Mapping[str, Guise] = {
    "as it is": str,
    "upper case": str.upper,
    "lower case": str.lower,
    "reversed": lambda key: key[::-1],
    "percent": percent,
    "percent, lower case": lambda key: percent(key).lower(),
    "percent, every character": lambda key: "".join(f"%{ord(char):02x}" for char in key),
    "percent twice": lambda key: percent(percent(key)),
    "percent three times": lambda key: percent(percent(percent(key))),
    "entities, decimal": lambda key: "".join(f"&#{ord(char)};" for char in key),
    "entities, hexadecimal": lambda key: "".join(f"&#X{ord(char):x};" for char in key),
    "entities, by name": escape,
    "JSON": lambda key: "".join(f"\\u{ord(char):04x}" for char in key),
    "JSON in JSON": lambda key: json.dumps(json.dumps("".join(f"\\u{ord(char):04x}" for char in key))),
    "Python": lambda key: "".join(f"\\x{ord(char):02x}" for char in key),
    "Markdown": lambda key: re.sub(r"([\\_-])", r"\\\1", key),
    "hexadecimal": lambda key: key.encode().hex(),
    "hexadecimal, upper case": lambda key: key.encode().hex().upper(),
    "hexadecimal, in pairs": lambda key: key.encode().hex(" "),
    "base64": in_base64,
    "base64, no padding": lambda key: in_base64(key).rstrip("="),
    "base64, one before": lambda key: in_base64(f"x{key}"),
    "base64, two before": lambda key: in_base64(f"xy{key}z"),
    "base64, wrapped": lambda key: "\r\n".join(wrap(in_base64(key), 7)),
    "base64 of a header": lambda key: in_base64(f"Bearer {key}"),
    "base64 of a user": lambda key: in_base64(f"user:{key}"),
    "base64 for URLs": for_urls,
    "base64 for URLs, one before": lambda key: for_urls(f"x{key}").rstrip("="),
    "base64 for URLs, two before": lambda key: for_urls(f"xy{key}"),
    "split by blanks": " ".join,
    "split by line breaks": "\n".join,
    "split by what has no width": "\u200b".join,
    "split by controls": "\x00".join,
    "all but the last": lambda key: key[:-1],
    "all but the first": lambda key: key[1:],
    "all but both ends": lambda key: key[2:-2],
}
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=16, max_size=200)


def knowing(*secrets: str) -> Secrets:
    known = Secrets()
    known.add("here", *secrets)
    return known


@pytest.mark.parametrize("guise", GUISES)
def test_a_secret_is_redacted_in_every_encoding_and_the_text_around_it_is_kept(guise: str) -> None:
    struck = knowing(KEY).redact(f"the key {GUISES[guise](KEY)} was refused")

    assert REDACTED in struck
    assert struck.endswith("refused") or guise == "base64, wrapped"
    assert len(struck) <= len(f"the key {REDACTED} was refused") or guise == "JSON in JSON"
    assert not knowing(KEY).is_in(struck)


@given(key=SECRETS, guise=st.sampled_from(sorted(GUISES)), before=st.text(), behind=st.text())
def test_any_secret_is_redacted_within_any_text(key: str, guise: str, before: str, behind: str) -> None:
    shown = GUISES[guise](key)
    text = f"{before} {shown} {behind}"
    struck = knowing(key).redact(text)

    assert not knowing(key).is_in(struck)
    assert shown not in struck or shown in f"{before} {REDACTED} {behind}"


@given(key=SECRETS.map(lambda text: "".join(dict.fromkeys(text))), begin=st.floats(0, 1))
def test_a_substring_of_nearly_the_whole_secret_is_redacted(key: str, begin: float) -> None:
    assume(len(key) >= RUN_MIN)
    length = max(RUN_MIN, -int(-NEARLY * len(key) // 1))
    at = int(begin * (len(key) - length))

    struck = knowing(key).redact(f"a {key[at : at + length]} b")

    assert REDACTED in struck
    assert not knowing(key).is_in(struck)


@given(key=SECRETS, words=st.text(), guise=st.sampled_from(sorted(GUISES)))
def test_redacted_json_is_still_valid_json(key: str, words: str, guise: str) -> None:
    said = json.dumps(
        {"message": f"{words} {GUISES[guise](key)}", "n": [1, None, words]}, ensure_ascii=len(words) % 2 == 0
    )
    struck = json.loads(knowing(key).redact(said))

    assert list(struck) == ["message", "n"]


def test_values_too_short_for_a_secret_are_not_redacted() -> None:
    known = knowing("test", "", "a" * (SECRET_MIN - 1))

    assert known.redact("a test of aaaaaaaaaaaa") == "a test of aaaaaaaaaaaa"


def test_a_text_without_a_secret_is_returned_unchanged() -> None:
    text = '{"a": "100 %25 &amp; \\u0041"}'

    assert knowing(KEY).redact(text) is text


@pytest.mark.parametrize("guise", ["as it is", "base64 of a header", "percent twice", "split by line breaks"])
def test_only_the_strings_with_a_secret_are_redacted_in_a_long_response(guise: str) -> None:
    rows = [{"id": f"job-{number}", "status": "running"} for number in range(500)]
    rows[7]["status"] = f"x {GUISES[guise](KEY)}"
    text = json.dumps(rows)
    shown = json.loads(knowing(KEY).redact(text))

    assert len(text) > PIECE_MAX
    assert [row for at, row in enumerate(shown) if at != 7] == [row for at, row in enumerate(rows) if at != 7]
    assert REDACTED in shown[7]["status"]


def test_a_single_long_string_with_a_secret_is_redacted_completely() -> None:
    assert knowing(KEY).redact("x" * PIECE_MAX + KEY) == REDACTED


def test_the_previous_secret_is_still_redacted_after_a_change() -> None:
    known = knowing("first-key-0123456789")
    known.add("here", "other-key-0123456789")

    assert known.redact("first-key-0123456789 other-key-0123456789") == f"{REDACTED} {REDACTED}"


def test_old_secrets_are_forgotten_after_many_changes() -> None:
    known = knowing("first-key-0123456789")
    for number in range(1000):
        known.add("here", f"other-key-{number:010}")

    assert not known.is_in("first-key-0123456789")
    assert known.is_in("other-key-0000000999")


@pytest.mark.parametrize(
    ("name", "is_made_of_it"),
    [
        ("login.example.org", False),
        ("0123456789abcdef0123456789abcdef.example.org", True),
        ("01234567.example.org", True),
        ("0123-4567.example.org", True),
        ("0123.4567.89ab.example.org", True),
        ("FEDCBA9876543210FEDCBA9876543210.example.org", True),
        (f"{b'0123456789abcdef0123456789abcdef'.hex()}.org", True),
    ],
)
def test_a_host_name_made_of_the_letters_of_a_secret_is_detected(name: str, is_made_of_it: bool) -> None:  # noqa: FBT001
    assert knowing("0123456789abcdef0123456789abcdef").has_letters_of(name) is is_made_of_it


def test_every_text_of_a_record_is_redacted_and_a_clean_record_is_returned_as_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("reconciler.redacted_provider.KNOWN_SECRETS", knowing(KEY))
    clean = ObservedJob(
        id="1", phase=Phase.FAILED, provider_status="failed", error=JobError(message="no"), aliases=("a",)
    )
    careless = replace(clean, error=JobError(code=KEY, message=in_base64(KEY)), aliases=("a", KEY))
    page = JobPage((clean, careless), None)

    assert without_secrets(JobPage((clean,), None)).jobs[0] is clean
    assert without_secrets(page).jobs == (
        clean,
        replace(clean, error=JobError(code=REDACTED, message=REDACTED), aliases=("a", REDACTED)),
    )
