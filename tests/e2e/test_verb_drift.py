from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.in_process_command import Workspace

IDS = [f"ftjob-{number:02}" for number in range(30)]


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    workspace.declare(*IDS)
    return workspace


def files(workspace: Workspace) -> dict[str, bytes]:
    return {
        str(path): path.read_bytes()
        for path in workspace.root.rglob("*")
        if path.is_file() and "state" not in path.parts
    }


def test_a_job_without_a_spec_is_drift_and_is_left_alone(workspace: Workspace) -> None:
    before = files(workspace)

    ran = workspace.run("drift")

    assert ran.code == 2
    assert ran.out.splitlines()[-1] == "Drift: 0 jobs not as desired; 30 without a spec (30 unfinished)."
    assert files(workspace) == before


def test_a_job_that_is_not_in_its_desired_state_is_drift(workspace: Workspace) -> None:
    workspace.run("adopt")
    workspace.want("stop", "cancelled", "ftjob-00")
    (workspace.specs / "adopted/demo/ftjob-00.yaml").unlink()

    ran = workspace.run("drift", "-o", "json")
    told = json.loads(ran.out)

    assert ran.code == 2
    assert [(each["name"], each["action"]) for each in told["drifting"]] == [("stop", "cancel")]
    assert told["strangers"] == []


def test_there_is_no_drift_once_every_job_has_a_spec(workspace: Workspace) -> None:
    workspace.run("adopt")

    ran = workspace.run("drift")

    assert (ran.code, ran.out) == (0, "No drift.\n")


def test_adopting_a_second_time_writes_nothing(workspace: Workspace) -> None:
    workspace.run("adopt")
    workspace.run("set", "ftjob-07", "cancelled")
    before = files(workspace)

    ran = workspace.run("adopt")

    assert (ran.code, ran.out) == (0, "There is no unmanaged job to adopt.\n")
    assert files(workspace) == before


def test_a_dry_run_writes_nothing(workspace: Workspace) -> None:
    before = files(workspace)

    ran = workspace.run("adopt", "--dry-run")

    assert ran.out.splitlines()[-1].startswith("Would write 30 specs.")
    assert files(workspace) == before


def test_ids_that_lead_to_the_same_name_get_distinct_names(workspace: Workspace) -> None:
    workspace.declare("ftjob-A", "ftjob-a", "ftjob-_a", "ftjob-" + "x" * 60)

    ran = workspace.run("adopt")
    names = sorted(path.stem for path in (workspace.specs / "adopted/demo").iterdir())

    assert ran.code == 0
    assert len(names) == 4
    assert all(len(name) <= 63 for name in names)
    assert workspace.run("validate").code == 0


def test_nothing_is_adopted_while_a_spec_cannot_be_read(workspace: Workspace) -> None:
    workspace.write("broken.yaml", "spec: [")

    ran = workspace.run("adopt")

    assert ran.code == 65
    assert "a spec that is not valid may name one of the jobs" in ran.err
    assert not (workspace.specs / "adopted").exists()


def test_a_provider_that_does_not_allow_the_folder_is_reported_and_nothing_is_written(workspace: Workspace) -> None:
    text = (workspace.specs / "demo.yaml").read_text()
    workspace.write("demo.yaml", text.replace("type: sandbox", "type: sandbox\n  allowedPaths: [team-a/**]"))

    ran = workspace.run("adopt")

    assert ran.code == 65
    assert "ftjob-00 was not adopted: provider 'demo' may be used only by files that match team-a/**" in ran.err
    assert not (workspace.specs / "adopted").exists()


def test_an_account_that_cannot_be_listed_is_reported_and_is_not_drift(workspace: Workspace) -> None:
    head = (workspace.specs / "demo.yaml").read_text().split("spec:")[0].replace("demo", "hosted")
    workspace.write("demo.yaml", head + "spec: {type: openai, baseUrl: https://elsewhere.example}\n")

    ran = workspace.run("drift")

    assert ran.code == 78
    assert "could not list the jobs of hosted: OPENAI_API_KEY is not bound to elsewhere.example" in ran.err
    assert ran.out == "No drift among the jobs that could be observed.\n"


def test_adopt_requires_an_account_if_no_document_names_one(tmp_path: Path) -> None:
    ran = Workspace(tmp_path).run("adopt")

    assert (ran.code, ran.out) == (64, "")
    assert "select one with an option such as --provider openai" in ran.err


def test_an_account_that_cannot_be_listed_is_not_reported_as_adopted(tmp_path: Path) -> None:
    ran = Workspace(tmp_path).run("adopt", "--provider", "litellm")

    assert ran.out == "Nothing was adopted.\n"
    assert ran.code != 0
    assert "could not list the jobs of litellm" in ran.err
    assert not (tmp_path / "specs").exists()


@pytest.mark.parametrize("name", ["dmo", " ", "\n"])
def test_an_unknown_provider_is_reported(workspace: Workspace, name: str) -> None:
    ran = workspace.run("drift", "--provider", name)

    assert ran.code == 64
    assert "no provider is called" in ran.err


@pytest.mark.parametrize("verb", ["drift", "adopt"])
def test_finished_jobs_can_be_excluded(workspace: Workspace, verb: str) -> None:
    workspace.declare("ftjob-old", life="{phase: failed}")

    ran = workspace.run(verb, "--unfinished")

    assert ran.code == 0
    assert "ftjob-old" not in ran.out
