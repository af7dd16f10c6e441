from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

import reconciler
from reconciler.core.conditions import Readiness
from reconciler.core.guard import ChangeLimits
from reconciler.core.subject import INTERVAL
from reconciler.core.table import TABLE
from reconciler.model.job import Phase
from reconciler.model.kind import KINDS
from reconciler.model.reason import Reason
from reconciler.model.spec import DesiredState
from reconciler.model.status import ConditionType
from reconciler.providers import NAMES, load
from reconciler.views.explain_text import ADVICE, PLACE_TITLES, explain_text, overview_text, topics
from reconciler.views.explain_words import WORDS
from reconciler.views.json_schema import field_notes
from reconciler.views.layout import Canvas
from reconciler.views.status_notes import MEANINGS, status_notes
from reconciler.views.text import nearest

NOTES = field_notes({name: load(name).options for name in NAMES})
PLACE_OF = {Readiness.READY: "Ready", Readiness.RECONCILING: "Reconciling", Readiness.STALLED: "Stalled"}


def page(topic: str) -> str:
    text = explain_text(topic, NOTES, Canvas())
    assert text is not None
    return text


def test_every_reason_has_its_advice_in_exactly_one_place() -> None:
    counts = Counter(reason for advice in ADVICE.values() for reason in advice)

    assert counts == dict.fromkeys(Reason, 1)
    assert ADVICE.keys() == PLACE_TITLES.keys()


def test_the_advice_for_a_reason_is_under_the_condition_that_the_decision_table_uses() -> None:
    misplaced = {row.reason for row in TABLE.values() if row.reason not in ADVICE[PLACE_OF[row.readiness]]}

    assert misplaced == set()


def test_every_explained_reason_is_used_in_the_code() -> None:
    house = Path(reconciler.__file__).parent
    code = [path for path in house.rglob("*.py") if path.name != "reason.py" and path.parent.name != "views"]
    used = set(re.findall(r"\bReason\.([A-Z_]+)\b", "\n".join(path.read_text(encoding="utf-8") for path in code)))

    assert {reason.name for reason in Reason} - used == set()


@pytest.mark.parametrize("reason", Reason)
def test_the_explanation_of_a_reason_contains_its_paragraph_and_advice(reason: Reason) -> None:
    text = page(reason.lower())

    assert text.startswith(f"{reason}: ")
    assert reason.paragraph in text
    assert "What to do\n" in text


@pytest.mark.parametrize("topic", ["FineTuningJob.spec.limits", "finetuningjob.spec.limits", "spec.limits", "limits"])
def test_a_field_is_found_by_its_path_or_the_end_of_its_path(topic: str) -> None:
    text = page(topic)

    assert text.startswith("FineTuningJob.spec.limits: mapping; optional\n")
    assert "maxQueued" in text


def test_a_field_name_in_several_documents_is_explained_for_each() -> None:
    text = page("metadata.name")

    assert [line.partition(":")[0] for line in text.splitlines() if line.startswith(("F", "P", "S"))] == [
        "FineTuningJob.metadata.name",
        "Provider.metadata.name",
        "Settings.metadata.name",
    ]


def test_the_options_of_a_provider_refer_to_those_of_each_type() -> None:
    assert "openai" in page("Provider.spec.options")
    assert "project" in page("openai")


def test_the_overview_contains_every_kind_type_and_reason() -> None:
    text = overview_text(NOTES, Canvas())

    assert all(word in text for word in ("FineTuningJob", "Provider", "Settings", *NAMES, *Reason))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("spec.limts", "spec.limits"), ("desiredstat", "desiredState"), ("CancelNotHonored", "CancelNotHonoured")],
)
def test_the_error_for_a_misspelt_topic_suggests_a_similar_one(typed: str, meant: str) -> None:
    assert explain_text(typed, NOTES, Canvas()) is None
    assert nearest(typed, topics(NOTES, typed.count(".") + 1))[0] == meant


def test_an_unknown_topic_without_a_near_match_has_no_suggestion() -> None:
    assert explain_text("zzz", NOTES, Canvas()) is None
    assert nearest("zzz", topics(NOTES)) == ()


def test_every_field_of_a_status_is_explained_and_every_explanation_is_of_a_field() -> None:
    explained = {note.path.partition(".")[2] for note in status_notes()}

    assert explained == set(MEANINGS)
    assert {note.path.partition(".")[0] for note in status_notes()} == set(KINDS)


def test_a_field_of_a_status_is_found_as_a_field_of_a_spec_is() -> None:
    text = explain_text("status.receipts", (*NOTES, *status_notes()), Canvas())

    assert text is not None
    assert text.startswith("FineTuningJob.status.receipts: list of mapping; written by reconcile\n")
    assert "cancel, pause, resume" in text


@pytest.mark.parametrize("word", [*ConditionType, *DesiredState, *Phase])
def test_every_condition_desired_state_and_phase_is_explained(word: str) -> None:
    whats = [what for what, meanings in WORDS.items() if word in meanings]

    assert [line for line in page(word).splitlines() if line in {f"{word}: a {what}" for what in whats}]
    assert word in overview_text(NOTES, Canvas())


def test_a_word_that_is_a_reason_too_is_explained_as_both() -> None:
    text = page("cancelled")

    assert text.startswith("Cancelled: Ready is True\n")
    assert "\ncancelled: a desired state\n" in text
    assert "\ncancelled: a phase\n" in text


def test_recursive_shows_all_levels_below_a_field_indented() -> None:
    text = explain_text("Provider.spec", NOTES, Canvas(), is_recursive=True)
    once = page("Provider.spec")

    assert text is not None
    assert re.search(r"^  credentials +mapping", text, re.MULTILINE)
    assert re.search(r"^    env +text", text, re.MULTILINE)
    assert not re.search(r"^ +env ", once, re.MULTILINE)


def test_a_default_is_shown_with_its_field_and_in_the_list_of_fields() -> None:
    assert page("Settings.spec.suspend").startswith("Settings.spec.suspend: true or false; optional; default false\n")
    assert re.search(r"^  suspend +true or false +Default false\. ", page("Settings.spec"), re.MULTILINE)


def test_the_defaults_in_descriptions_are_those_of_the_code() -> None:
    limits = ChangeLimits()

    assert f"Default: {limits.max_cancels}." in page("Settings.spec.safety.maxCancels")
    assert f"Default: {limits.max_cancel_percent}." in page("Settings.spec.safety.maxCancelPercent")
    assert f"Default: {limits.max_cancels_absolute}." in page("Settings.spec.safety.maxCancelsAbsolute")
    assert f"Default: {int(INTERVAL.total_seconds())}s." in page("Settings.spec.interval")
