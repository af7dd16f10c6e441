from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.formats.plan_file import PlanUnreadableError, plan_digest, read_plan, render_plan
from reconciler.model.action import Action
from reconciler.model.job import Account, JobRef
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.status import Because, Verb
from tests.support.reports import OPENAI

ACTION = Action(
    verb=Verb.CANCEL,
    ref=JobRef(OPENAI, "ftjob-1"),
    name="runaway",
    because=Because.DESIRED_STATE,
    reason="too dear",
    is_first_attempt=True,
)
PLAN = PinnedPlan.of([ACTION, replace(ACTION, ref=JobRef(OPENAI, "ftjob-0"), name="other")])


def test_a_written_plan_reads_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(render_plan(PLAN), encoding="utf-8")

    assert read_plan(path) == PLAN


def test_a_written_plan_without_changes_reads_back_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(render_plan(PinnedPlan.of([])), encoding="utf-8")

    assert read_plan(path) == PinnedPlan.of([])


def test_equal_plans_have_equal_bytes_and_digests() -> None:
    again = PinnedPlan(frozenset(sorted(PLAN.pins, reverse=True)))

    assert render_plan(again) == render_plan(PLAN)
    assert plan_digest(again) == plan_digest(PLAN)
    assert plan_digest(PinnedPlan.of([ACTION])) != plan_digest(PLAN)


@pytest.mark.parametrize(
    "other",
    [
        replace(ACTION, verb=Verb.PAUSE),
        replace(ACTION, because=Because.LIMIT_REACHED),
        replace(ACTION, ref=JobRef(OPENAI, "ftjob-2")),
        replace(ACTION, ref=JobRef(Account("openai", "https://elsewhere.example"), "ftjob-1")),
    ],
)
def test_a_plan_does_not_approve_a_different_change(other: Action) -> None:
    assert not PLAN.allows(other)


@pytest.mark.parametrize("same", [ACTION, replace(ACTION, name="renamed"), replace(ACTION, reason="other words")])
def test_a_plan_approves_a_change_whose_name_or_reason_differs(same: Action) -> None:
    assert PLAN.allows(same)


def test_a_repeated_attempt_needs_no_approval() -> None:
    assert PinnedPlan.of([]).allows(replace(ACTION, is_first_attempt=False))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        "{}",
        render_plan(PLAN)[:-20],
        render_plan(PLAN).replace("PinnedPlan", "Plan"),
        render_plan(PLAN).replace("/v1", "/v2", 1),
        render_plan(PLAN).replace('"cancel"', '"delete"'),
        render_plan(PLAN).replace('"ftjob-1"', "1"),
        render_plan(PLAN).replace('"name"', '"names"'),
        json.dumps({"apiVersion": "jobs.reconciler/v1", "kind": "PinnedPlan", "changes": None}),
    ],
)
def test_the_error_for_an_invalid_plan_names_the_command_that_creates_one(text: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(PlanUnreadableError, match="reconcile plan --out"):
        read_plan(path)


def test_a_missing_plan_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(PlanUnreadableError, match="No such file"):
        read_plan(tmp_path / "plan.json")
