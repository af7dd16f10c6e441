"""The option `--kind`: every verb that names jobs can be limited to one kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from reconciler.cli.choices import kind_called
from tests.support.both_kinds import BATCH
from tests.support.completion import offered_by
from tests.support.in_process_command import SANDBOX, Workspace

BOTH = (
    SANDBOX
    + "    - {id: ftjob-chat, age: 1h}\n    - {id: ftjob-stranger, age: 1h}\n    batches:\n"
    + "    - {id: batch_labels, age: 1h}\n    - {id: batch_stranger, age: 1h}\n"
)


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a directory with the job `chat` and the batch `labels`, and with a job and a batch without a spec."""
    workspace = Workspace(tmp_path)
    workspace.write("demo.yaml", BOTH)
    workspace.want("chat", "cancelled")
    want_batch(workspace, "labels")
    return workspace


def want_batch(workspace: Workspace, name: str, file: str | None = None) -> None:
    text = BATCH.format(name=name, provider="demo", job_id=f"batch_{name}", state="cancelled")
    workspace.write(f"{file or name}.yaml", text)


def names_in(output: str) -> list[str]:
    return [each["metadata"]["name"] for each in json.loads(output)]


@pytest.mark.parametrize("word", ["BatchJob", "batchjob", "batchjobs", "BATCHJOBS", "BatchJobs"])
def test_a_kind_is_named_in_any_case_singular_or_plural(word: str) -> None:
    assert kind_called(word) == "BatchJob"


@pytest.mark.parametrize("word", ["batch", "job", "batchjobss", "s", ""])
def test_no_other_word_names_a_kind(word: str) -> None:
    assert kind_called(word) is None


def test_a_kind_that_does_not_exist_is_a_usage_error_with_a_suggestion(workspace: Workspace) -> None:
    ran = workspace.run("get", "--kind", "BatchJop")

    assert ran.code == 64
    assert "'BatchJop' is not one of FineTuningJob, BatchJob. Did you mean 'BatchJob'?" in ran.err


def test_get_lists_the_jobs_of_one_kind(workspace: Workspace) -> None:
    every, batches = workspace.run("get", "-o", "json"), workspace.run("get", "--kind", "batchjobs", "-o", "json")

    assert names_in(every.out) == ["chat", "labels"]
    assert names_in(batches.out) == ["labels"]


def test_an_option_before_the_verb_and_a_variable_select_the_kind_too(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = workspace.run("--kind", "FineTuningJob", "get", "-o", "json")
    monkeypatch.setenv("RECONCILE_KIND", "batchjob")

    assert names_in(before.out) == ["chat"]
    assert names_in(workspace.run("get", "-o", "json").out) == ["labels"]


def test_a_plan_and_a_pass_change_jobs_of_one_kind_only(workspace: Workspace) -> None:
    plan = workspace.run("plan", "--kind", "batchjob")
    ran = workspace.run("--once", "--kind", "batchjob")

    assert "Plan: 1 to cancel" in plan.out
    assert ran.code == 0, ran.err
    assert workspace.asked() == [("cancel", "batch_labels")]


def test_drift_shows_the_jobs_of_one_kind_with_and_without_a_spec(workspace: Workspace) -> None:
    drift = json.loads(workspace.run("drift", "--kind", "finetuningjobs", "-o", "json").out)

    assert [each["name"] for each in drift["drifting"]] == ["chat"]
    assert [each["jobId"] for each in drift["strangers"]] == ["ftjob-stranger"]


def test_drift_accepts_a_kind_that_no_spec_has(workspace: Workspace) -> None:
    (workspace.specs / "labels.yaml").unlink()
    ran = workspace.run("drift", "--kind", "BatchJob")

    assert ran.code == 2
    assert "Drift: 0 jobs not as desired; 2 without a spec" in ran.out
    assert ran.err == ""


@pytest.mark.parametrize("verb", ["drift", "adopt"])
def test_drift_and_adopt_report_a_kind_that_no_account_has(tmp_path: Path, verb: str) -> None:
    workspace = Workspace(tmp_path)
    spec = "spec: {type: mistral}\n"
    workspace.write("mistral.yaml", f"apiVersion: jobs.reconciler/v1\nkind: Provider\nmetadata: {{name: m}}\n{spec}")
    ran = workspace.run(verb, "--kind", "FineTuningJob")

    assert (ran.code, ran.out) == (64, "")
    assert "no document names an account with jobs of kind FineTuningJob" in ran.err


def test_drift_and_adopt_say_how_far_they_read_a_long_list_of_batches(workspace: Workspace) -> None:
    rows = [f"    - {{id: batch_new-{number}, age: 1h}}\n" for number in range(120)]
    rows += [f"    - {{id: batch_old-{number}, age: 9d}}\n" for number in range(200)]
    workspace.write("demo.yaml", BOTH + "".join(rows))
    drift, adopted = workspace.run("drift", "--kind", "batchjob"), workspace.run("adopt", "--kind", "batchjob")
    (read,) = json.loads(workspace.run("drift", "--kind", "batchjob", "-o", "json").out)["lists"]
    bound = "The list of demo was read back to "

    assert bound in drift.out
    assert bound in adopted.out
    assert "because a BatchJob ends within 8d." in adopted.out
    assert len(list((workspace.specs / "adopted/demo").iterdir())) == 121
    assert read["readBackTo"] is not None
    assert read["jobs"] < 320


def test_adopt_writes_specs_for_one_kind(workspace: Workspace) -> None:
    workspace.run("adopt", "--kind", "BATCHJOB")

    assert [each.name for each in (workspace.specs / "adopted/demo").iterdir()] == ["batch-stranger.yaml"]


def test_a_selected_kind_that_no_spec_has_is_a_notice(workspace: Workspace) -> None:
    (workspace.specs / "labels.yaml").unlink()
    ran = workspace.run("get", "--kind", "BatchJob")

    assert ran.code == 0
    assert "nothing is selected: no spec has the kind BatchJob." in ran.err


@pytest.mark.parametrize(
    "verb",
    [
        ("get", "chat"),
        ("describe", "chat"),
        ("wait", "chat"),
        ("retry", "chat"),
        ("suspend", "chat"),
        ("unsuspend", "chat"),
        ("set", "chat", "running"),
    ],
    ids=lambda verb: verb[0],
)
def test_a_verb_reports_a_name_of_another_kind(workspace: Workspace, verb: tuple[str, ...]) -> None:
    before = (workspace.specs / "chat.yaml").read_bytes()
    ran = workspace.run(*verb, "--kind", "BatchJob")

    assert ran.code == 64
    assert "'chat' is a FineTuningJob, not a BatchJob. Omit --kind, or use --kind FineTuningJob." in ran.err
    assert (workspace.specs / "chat.yaml").read_bytes() == before
    assert workspace.asked() == []


def test_wait_and_retry_accept_a_name_of_the_kind(workspace: Workspace) -> None:
    retried = workspace.run("retry", "labels", "--kind", "batchjob")
    waited = workspace.run("wait", "labels", "--kind", "batchjob", "--timeout", "1s")

    assert retried.code == 0, retried.err
    assert waited.code in (0, 75)
    assert workspace.asked() == [("cancel", "batch_labels")]


@pytest.mark.parametrize("verb", [("describe", "labels"), ("set", "labels", "observed"), ("suspend", "labels")])
def test_a_verb_for_one_job_names_both_kinds_of_a_name_and_the_remedy(
    workspace: Workspace, verb: tuple[str, ...]
) -> None:
    workspace.want("labels", "running", "ftjob-chat")
    want_batch(workspace, "labels", "other")
    ran = workspace.run(*verb)
    told = " ".join(ran.err.split())

    assert ran.code == 64
    assert "the name 'labels' is not unique: it is used for a FineTuningJob in" in told
    assert "and a BatchJob in" in told
    assert "To choose one for this command, pass --kind." in told
    assert "No change is requested for either job until one of the specs is renamed." in told


def test_a_kind_selects_one_of_two_specs_with_one_name(workspace: Workspace) -> None:
    workspace.want("labels", "running", "ftjob-chat")
    want_batch(workspace, "labels", "other")
    described = workspace.run("describe", "labels", "--kind", "batchjob")
    written = workspace.run("set", "labels", "observed", "--kind", "batchjob")

    assert "Spec (other.yaml)" in described.out
    assert "batch_labels" in described.out
    assert "ftjob-chat" not in described.out
    assert written.code == 0, written.err
    assert "desiredState: observed" in (workspace.specs / "other.yaml").read_text()
    assert "desiredState: running" in (workspace.specs / "labels.yaml").read_text()


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("reconcile get --kind ba", ["BatchJob"]),
        ("reconcile wait --kind F", ["FineTuningJob"]),
        ("reconcile set --kind batchjobs l", ["labels"]),
        ("reconcile set --kind batchjobs c", []),
    ],
)
def test_completion_offers_kinds_and_the_names_of_one_kind(
    workspace: Workspace, typed: str, offered: list[str]
) -> None:
    assert offered_by(workspace.root, typed) == offered
