"""The formats of `get` that other commands read: names, and columns that the user chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.both_kinds import BATCH
from tests.support.in_process_command import SANDBOX, Workspace

JOBS = "    - {id: ftjob-chat, age: 1h}\n    batches:\n    - {id: batch_labels, age: 1h}\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a directory with the job `chat` and the batch `labels`, which a pass has observed."""
    workspace = Workspace(tmp_path)
    workspace.write("demo.yaml", SANDBOX + JOBS)
    workspace.want("chat", "observed")
    workspace.write(
        "labels.yaml", BATCH.format(name="labels", provider="demo", job_id="batch_labels", state="observed")
    )
    workspace.run("--once")
    return workspace


def test_the_names_that_get_prints_are_accepted_by_other_verbs(workspace: Workspace) -> None:
    names = workspace.run("get", "-o", "name").out.split()

    assert names == ["finetuningjob/chat", "batchjob/labels"]
    assert workspace.run("wait", *names, "--timeout", "1s").code == 0
    assert workspace.run("get", *names, "-o", "name").out.split() == names
    assert "+  desiredState: cancelled" in workspace.run("set", names[1], "cancelled").out


def test_a_name_with_the_wrong_kind_is_not_found(workspace: Workspace) -> None:
    ran = workspace.run("describe", "batchjob/chat")

    assert (ran.code, ran.out) == (64, "")
    assert "'chat' is a FineTuningJob, not a BatchJob." in ran.err


@pytest.mark.parametrize("name", ["pod/chat", "batchjob/", "/chat"])
def test_a_name_with_an_unknown_kind_is_a_usage_error(workspace: Workspace, name: str) -> None:
    ran = workspace.run("get", name)

    assert ran.code == 64
    assert f"'{name}' is not a job: write its name" in ran.err


def test_custom_columns_show_fields_of_specs_and_statuses(workspace: Workspace) -> None:
    ran = workspace.run("get", "-o", "custom-columns=NAME:.metadata.name,JOB:.spec.jobId,PHASE:.status.phase")

    assert [line.split() for line in ran.out.splitlines()] == [
        ["NAME", "JOB", "PHASE"],
        ["chat", "ftjob-chat", "running"],
        ["labels", "batch_labels", "running"],
    ]


def test_the_listed_paths_lead_to_fields(workspace: Workspace) -> None:
    paths = workspace.run("get", "chat", "-o", "custom-columns").out.split()
    ran = workspace.run("get", "chat", "-o", f"custom-columns=VALUE:{paths[paths.index('.spec.provider')]}")

    assert ran.out.split() == ["VALUE", "demo"]


def test_wrong_columns_are_reported_before_anything_is_read(workspace: Workspace) -> None:
    ran = workspace.run("get", "-o", "custom-columns=NAME", "--specs", "missing")

    assert ran.code == 64
    assert "write HEADER:PATH,..., such as NAME:.metadata.name" in ran.err


def test_another_verb_does_not_offer_columns(workspace: Workspace) -> None:
    assert "is not one of text, json" in workspace.run("plan", "-o", "custom-columns=A:.b").err


def test_sarif_names_the_file_and_the_key_and_repeats_no_text_of_the_document(workspace: Workspace) -> None:
    workspace.write("chat.yaml", (workspace.specs / "chat.yaml").read_text() + "  apiKey: sk-4f8a1b2c3d4e5f60\n")
    ran = workspace.run("validate", "-o", "sarif")
    (result,) = json.loads(ran.out)["runs"][0]["results"]
    place = result["locations"][0]["physicalLocation"]

    assert ran.code == 65
    assert place["artifactLocation"]["uri"] == "specs/chat.yaml"
    assert (place["region"]["startColumn"], place["region"]["endColumn"]) == (3, 9)
    assert "sk-4f8a1b2c3d4e5f60" not in ran.out + ran.err


def test_sarif_without_a_problem_has_no_results(workspace: Workspace) -> None:
    ran = workspace.run("validate", "-o", "sarif")

    assert ran.code == 0
    assert json.loads(ran.out)["runs"][0]["results"] == []
