"""The options of a run from the command line: paths, selected specs, and safety limits."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from reconciler.controller.run_options import GitRemote, Paths, Publishing, SafetyOptions, Selection, run_options
from reconciler.core import guard
from reconciler.core.guard import Approvals
from reconciler.core.scope import ScopedLimits
from reconciler.model.job_limits import CostLimit
from reconciler.model.operator import CancelSafety, OperatorSafety, OperatorSpec
from reconciler.model.pinned_plan import PinnedPlan
from reconciler.model.sunk_cost import SunkCostLimit
from reconciler.ports import BrokenJob
from tests.support.build import a_spec
from tests.support.documents import located
from tests.support.spec_revisions import resolved

REMOTE = GitRemote("https://git.example/acme/jobs", "main", "specs", poll_s=60, password="canary")  # noqa: S106
SPECS = resolved(
    located(a_spec("a", {"team": "search", "tier": "1"}), "a.yaml"),
    located(a_spec("b", {"team": "search"}, provider="nebius", jobId="ftjob-2"), "b.yaml"),
    located(a_spec("c", jobId="ftjob-3"), "c.yaml"),
    broken_jobs=(BrokenJob(name="broken", file="d.yaml", diagnostics=()),),
).candidates


# Selection of specs


@pytest.mark.parametrize(
    ("selection", "meant"),
    [
        (Selection(names=("a", "c", "nobody")), {"a", "c"}),
        (Selection(names=("broken",)), {"broken"}),
        (Selection(labels=(("team", "search"),)), {"a", "b"}),
        (Selection(labels=(("team", "search"), ("tier", "1"))), {"a"}),
        (Selection(provider="nebius"), {"b"}),
        (Selection(names=("a", "c"), labels=(("team", "search"),)), {"a"}),
        (Selection(labels=(("team", "search"),), provider="openai"), {"a"}),
        (Selection(names=("broken",), provider="openai"), set()),
    ],
    ids=[
        "by name",
        "by the name of one that is not valid",
        "by a label",
        "by two labels",
        "by provider",
        "by name and label",
        "by label and provider",
        "a spec that is not valid has no provider",
    ],
)
def test_a_selection_matches_the_specs_that_meet_all_of_its_criteria(selection: Selection, meant: set[str]) -> None:
    is_meant = selection.predicate()

    assert is_meant is not None
    assert {each.name for each in SPECS if is_meant(each)} == meant


def test_an_empty_selection_matches_every_spec() -> None:
    assert Selection().predicate() is None
    assert Selection(is_retry=True).predicate() is None


# Limits, approvals, suspension


def of_cost(value: int, *, ignores_unknown: bool = False) -> guard.ChangeLimits:
    return guard.ChangeLimits(sunk_cost=SunkCostLimit(Decimal(value), "USD", ignores_unknown))


@pytest.mark.parametrize(
    ("flags", "ruled", "limits"),
    [
        (SafetyOptions(), OperatorSafety(), ScopedLimits()),
        (SafetyOptions(max_cancels=9), OperatorSafety(), ScopedLimits(guard.ChangeLimits(9, 30, 20))),
        (SafetyOptions(), OperatorSafety(max_cancels=9), ScopedLimits(guard.ChangeLimits(9, 30, 20))),
        (SafetyOptions(max_cancels=9), OperatorSafety(max_cancels=7), ScopedLimits(guard.ChangeLimits(7, 30, 20))),
        (SafetyOptions(max_cancels=7), OperatorSafety(max_cancels=9), ScopedLimits(guard.ChangeLimits(7, 30, 20))),
        (SafetyOptions(max_cancel_percent=0), OperatorSafety(), ScopedLimits(guard.ChangeLimits(3, 0, 20))),
        (
            SafetyOptions(max_cancels_absolute=50),
            OperatorSafety(max_cancels=4, credentials={"K": CancelSafety(max_cancels=9, max_cancels_absolute=99)}),
            ScopedLimits(guard.ChangeLimits(4, 30, 50), {}, {"K": guard.ChangeLimits(9, 30, 50)}),
        ),
        (
            SafetyOptions(),
            OperatorSafety(max_cancels=4, kinds={"FineTuningJob": CancelSafety(max_cancel_percent=10)}),
            ScopedLimits(guard.ChangeLimits(4, 30, 20), {"FineTuningJob": guard.ChangeLimits(4, 10, 20)}),
        ),
        (
            SafetyOptions(),
            OperatorSafety(
                max_cancels_cost=CostLimit(Decimal(500), "USD"),
                kinds={"BatchJob": CancelSafety(max_cancels_cost=CostLimit(Decimal(50), "USD"), unknown_cost="ignore")},
                credentials={"K": CancelSafety(unknown_cost="ignore"), "L": CancelSafety()},
            ),
            ScopedLimits(
                of_cost(500),
                {"BatchJob": of_cost(50, ignores_unknown=True)},
                {"K": of_cost(500, ignores_unknown=True), "L": of_cost(500)},
            ),
        ),
        (SafetyOptions(), OperatorSafety(unknown_cost="ignore"), ScopedLimits()),
    ],
    ids=[
        "nothing",
        "a flag",
        "the file",
        "the file is stricter",
        "the flag is stricter",
        "none at all",
        "a credential",
        "a kind",
        "costs",
        "unknown costs without a limit",
    ],
)
def test_the_stricter_of_flag_and_operator_file_applies(
    flags: SafetyOptions, ruled: OperatorSafety, limits: ScopedLimits
) -> None:
    assert run_options(Selection(), flags, OperatorSpec(safety=ruled)).rules.limits == flags.limits(ruled) == limits


@pytest.mark.parametrize(("flag", "ruled"), [(True, False), (False, True), (True, True), (False, False)])
def test_the_flag_or_the_operator_file_suspends_every_spec(*, flag: bool, ruled: bool) -> None:
    wanted = run_options(Selection(), SafetyOptions(suspend=flag), OperatorSpec(suspend=ruled))

    assert wanted.is_suspended == (flag or ruled)


@pytest.mark.parametrize(("flag", "ruled"), [(True, False), (False, True), (True, True), (False, False)])
def test_the_flag_or_the_operator_file_switches_shadow_mode_on(*, flag: bool, ruled: bool) -> None:
    wanted = run_options(Selection(), SafetyOptions(shadow=flag), OperatorSpec(shadow=ruled))

    assert wanted.is_shadow == (flag or ruled)


def test_the_command_line_alone_sets_the_options_without_an_operator_file() -> None:
    pinned = PinnedPlan.of(())
    safety = SafetyOptions(allow_cancels=5, allow_names=frozenset({"a"}), pinned=pinned)
    wanted = run_options(Selection(), safety)

    assert wanted.rules.approvals == Approvals(5, frozenset({"a"}))
    assert wanted.rules.limits == ScopedLimits()
    assert wanted.pinned is pinned
    assert (wanted.is_selected, wanted.is_suspended, wanted.is_shadow) == (None, False, False)


def test_only_specs_named_for_retry_are_retried() -> None:
    assert run_options(Selection(names=("a", "b"), is_retry=True), SafetyOptions()).retry == {"a", "b"}
    assert run_options(Selection(names=("a", "b")), SafetyOptions()).retry == frozenset()


# Paths


def test_statuses_are_below_the_specs_unless_a_status_directory_is_set() -> None:
    assert Paths(Path("specs")).statuses == Path("specs/status")
    assert Paths(Path("specs"), status_dir=Path("elsewhere")).statuses == Path("elsewhere")


def test_a_directory_is_shown_and_identified_by_its_path() -> None:
    place = Paths(Path("/srv/specs"))

    assert (place.shown, place.identity) == ("/srv/specs", Path("/srv/specs"))


def test_a_remote_branch_is_identified_by_its_url_name_and_path() -> None:
    place = Paths(Path("/cache/specs"), remote=REMOTE)

    assert place.shown == "https://git.example/acme/jobs main:specs"
    assert place.identity == Path("/https:__git.example_acme_jobs/main/specs")


def test_the_repr_of_the_paths_does_not_contain_the_password_of_the_remote() -> None:
    assert "canary" not in repr(Paths(Path("specs"), remote=REMOTE))


@pytest.mark.parametrize(
    ("publishing", "is_wanted"),
    [
        (Publishing(), False),
        (Publishing(author="me <me@example.org>", trailers=("Signed-off-by: me",)), False),
        (Publishing(is_committed=True), True),
        (Publishing(is_pushed=True), True),
        (Publishing(status_branch="statuses"), True),
    ],
    ids=["by default", "only who would be named", "committed", "pushed", "on a branch of its own"],
)
def test_statuses_are_published_only_if_an_option_requires_it(publishing: Publishing, *, is_wanted: bool) -> None:
    assert publishing.is_wanted == is_wanted
