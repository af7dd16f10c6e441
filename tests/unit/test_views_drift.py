from __future__ import annotations

import json
from dataclasses import replace

import pytest

from reconciler.model.capabilities import Capabilities
from reconciler.model.job import Phase
from reconciler.model.kind import FINE_TUNING, LONGEST_BATCH
from reconciler.model.reason import Reason
from reconciler.model.report import Row
from reconciler.model.spec import DesiredState, render_instant
from reconciler.model.status import ConditionType
from reconciler.views.adopted_text import AdoptedSpecs, adopted_spec, adopted_text
from reconciler.views.diff_text import change_text
from reconciler.views.drift_text import Drift, UnmanagedJob, drift_json, drift_text
from reconciler.views.layout import Canvas
from reconciler.views.providers_text import AccountLine, ProviderListing, TypeLine, providers_text, providers_wide
from reconciler.views.read_lists import ReadList
from reconciler.views.render_context import RenderContext
from reconciler.views.row_state import is_drifting
from reconciler.views.text import moment
from tests.support.build import a_job
from tests.support.reports import CONTEXT, NOW, a_row, a_waiting_row, with_cancel

UNMANAGED = [
    UnmanagedJob("demo", a_job(id=f"ftjob-{number:03}", created_at=NOW), "FineTuningJob") for number in range(60)
]
TYPES = (
    TypeLine("openai", Capabilities(can_pause=True, ends_on="2027-01-06: no new jobs from then on"), "OPENAI_API_KEY"),
    TypeLine("vertex-ai", problem="needs the extra google"),
)
ACCOUNTS = (
    AccountLine("main", "openai https://api.openai.com/v1", "variable OPENAI_API_KEY", "Works", None, is_working=True),
    AccountLine("other", None, "-", "HostNotTrusted", "it is not bound to evil.example", is_working=False),
)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_drift_and_provider_tables_fit_the_terminal_width(width: int) -> None:
    context = RenderContext(Canvas(width), NOW)
    drift = drift_text(Drift([with_cancel(a_waiting_row())], UNMANAGED, is_complete=True), context)
    providers = providers_text(ProviderListing(TYPES, ACCOUNTS), context)

    assert max(map(len, (drift + providers).splitlines())) <= width
    assert "HostNotTrusted" in providers
    assert "support-triage" in drift


def test_a_wide_listing_shows_the_ceiling_of_each_request_rate() -> None:
    slow = replace(ACCOUNTS[0], name="slow", ceiling=2.0)
    text = providers_wide(ProviderListing(TYPES, (*ACCOUNTS, slow)), RenderContext(Canvas(200), NOW))
    lines = {line.split()[0]: line for line in text.splitlines() if line}

    assert "REQUEST RATE" in lines["PROVIDER"]
    assert "adaptive" in lines["main"]
    assert "at most 2/s" in lines["slow"]
    assert "adaptive" not in lines["other"], "an account that cannot be used has no pace"


def test_a_long_drift_list_is_shortened_in_text_and_complete_in_json() -> None:
    text = drift_text(Drift([], UNMANAGED, is_complete=True), CONTEXT)

    assert "and 10 more: -o json lists them all" in text
    assert text.endswith("Drift: 0 jobs not as desired; 60 without a spec (60 unfinished).\n")
    assert len(json.loads(drift_json(Drift([], UNMANAGED, is_complete=True), CONTEXT))["strangers"]) == 60


BATCHES = (
    ReadList("openai", "BatchJob", 200, NOW - LONGEST_BATCH, is_unfinished_only=True),
    ReadList("bedrock", "BatchJob", 90, NOW - LONGEST_BATCH, is_unfinished_only=True),
    ReadList("xai", "BatchJob", 4, None, is_unfinished_only=True),
)
JOBS = ReadList("openai", "FineTuningJob", 7, None, is_unfinished_only=False)
BACK_TO = moment(NOW - LONGEST_BATCH)
ONLY = "Only unfinished jobs of kind BatchJob are shown."
WHOLE = "The list of xai was read to the end."
WHY = "older jobs have ended, because a BatchJob ends within 8d."


@pytest.mark.parametrize(
    ("lists", "line"),
    [
        (
            BATCHES,
            f"{ONLY} {WHOLE} The lists of openai, bedrock were read back to {BACK_TO}: {WHY}",
        ),
        (BATCHES[:1], f"{ONLY} The list of openai was read back to {BACK_TO}: {WHY}"),
        ((JOBS, BATCHES[2]), f"{ONLY} {WHOLE}"),
    ],
    ids=["both", "bounded", "whole"],
)
def test_drift_and_adopt_show_how_far_lists_of_batches_were_read(lists: tuple[ReadList, ...], line: str) -> None:
    context = RenderContext(Canvas(300), NOW)
    drift = Drift([], UNMANAGED[:1], is_complete=True, lists=lists)
    adopted = AdoptedSpecs([("a.yaml", "running")], is_dry=True, is_complete=True, lists=lists)

    assert drift_text(drift, context).splitlines()[-2] == line
    assert adopted_text(adopted, context).splitlines()[-2] == line
    assert drift_text(replace(drift, unmanaged=[]), context).splitlines() == [line, "No drift."]
    assert line in adopted_text(replace(adopted, files=[]), context)


def test_drift_and_adopt_show_how_many_jobs_may_be_of_another_kind() -> None:
    context = RenderContext(Canvas(200), NOW)
    lists = (replace(JOBS, others=1), replace(JOBS, provider="hf", others=2000), JOBS)
    lines = [
        "Left out at openai: 1 job without a spec, not known to be of kind FineTuningJob.",
        "Left out at hf: 2,000 jobs without a spec, not known to be of kind FineTuningJob.",
    ]
    drift = Drift([], [], is_complete=True, lists=lists)
    shown = json.loads(drift_json(drift, context))["lists"]

    assert drift_text(drift, context).splitlines() == [*lines, "No drift."]
    assert adopted_text(AdoptedSpecs([], is_dry=True, is_complete=True, lists=lists), context).splitlines()[:2] == lines
    assert [each["ofOtherKinds"] for each in shown] == [1, 2000, 0]


def test_drift_as_json_shows_how_far_each_list_was_read() -> None:
    shown = json.loads(drift_json(Drift([], [], is_complete=True, lists=(JOBS, *BATCHES[:1])), CONTEXT))["lists"]

    assert [(each["provider"], each["kind"], each["jobs"]) for each in shown] == [
        ("openai", "FineTuningJob", 7),
        ("openai", "BatchJob", 200),
    ]
    assert [each["unfinishedOnly"] for each in shown] == [False, True]
    assert [each["readBackTo"] for each in shown] == [None, render_instant(NOW - LONGEST_BATCH)]


def test_no_line_is_shown_if_only_fine_tuning_jobs_were_listed() -> None:
    assert drift_text(Drift([], [], is_complete=True, lists=(JOBS,)), CONTEXT) == "No drift.\n"


@pytest.mark.parametrize(
    ("wanted", "phase", "drifts"),
    [
        (DesiredState.RUNNING, Phase.RUNNING, False),
        (DesiredState.RUNNING, Phase.PAUSED, True),
        (DesiredState.RUNNING, Phase.CANCELLED, True),
        (DesiredState.PAUSED, Phase.PAUSED, False),
        (DesiredState.CANCELLED, Phase.RUNNING, True),
        (DesiredState.CANCELLED, Phase.FAILED, False),
        (DesiredState.OBSERVED, Phase.FAILED, False),
        (DesiredState.OBSERVED, Phase.ABSENT, True),
    ],
)
def test_a_stalled_job_drifts_if_its_phase_contradicts_its_desired_state(
    wanted: DesiredState, phase: Phase, *, drifts: bool
) -> None:
    row = a_row(phase=phase, reason=Reason.JOB_FAILED, also=ConditionType.STALLED)

    assert is_drifting(replace(row, wanted=wanted)) is drifts


def test_a_job_whose_change_waits_for_a_change_window_drifts() -> None:
    assert is_drifting(replace(a_row(phase=Phase.RUNNING, reason=Reason.OUTSIDE_WINDOW), wanted=DesiredState.RUNNING))


def test_a_job_cancelled_by_its_limit_does_not_drift() -> None:
    assert not is_drifting(a_row(phase=Phase.CANCELLED, reason=Reason.LIMIT_REACHED))


@pytest.mark.parametrize("row", [a_row(phase=Phase.PAUSED, unobserved="no answer"), replace(a_row(), wanted=None)])
def test_an_unobserved_job_or_one_with_an_unreadable_spec_does_not_drift(row: Row) -> None:
    assert not is_drifting(row)


def test_an_edit_is_shown_as_a_unified_diff() -> None:
    text = change_text([("specs/a.yaml", "a: 1\nb: \x1b\n", "a: 1\nb: 2\n")], Canvas())

    assert text.splitlines() == [
        "--- specs/a.yaml",
        "+++ specs/a.yaml",
        "@@ -1,2 +1,2 @@",
        " a: 1",
        "-b: \\x1b",
        "+b: 2",
    ]


def test_an_ambiguous_job_id_is_quoted_in_an_adopted_spec() -> None:
    assert '  jobId: "123:no"\n' in adopted_spec("a", "demo", FINE_TUNING, a_job(id="123:no"), NOW)
    assert "  jobId: ftjob-1\n" in adopted_spec("a", "demo", FINE_TUNING, a_job(id="ftjob-1"), NOW)


def test_an_adopted_spec_begins_with_a_comment_about_its_job() -> None:
    told = adopted_spec("a", "demo", FINE_TUNING, a_job(model="gpt\n4o", created_at=NOW), NOW).splitlines()[0]
    untold = adopted_spec("a", "demo", FINE_TUNING, a_job(), NOW).splitlines()[0]

    assert told == "# gpt 4o, created 2026-11-23 14:15 UTC, running when adopted on 2026-11-23"
    assert untold == "# running when adopted on 2026-11-23"


def test_adopting_many_jobs_reports_their_number() -> None:
    files = [(f"specs/{number}.yaml", "running") for number in range(41)]
    text = adopted_text(AdoptedSpecs(files, is_dry=False, is_complete=True), CONTEXT)

    assert "and 1 more\nWrote 41 specs." in text
