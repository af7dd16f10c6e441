"""The options --selector, --provider and --kind: every verb that names jobs can select them instead."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from reconciler.cli.choices import JobName
from reconciler.cli.group import VERBS, reconcile
from tests.support.cli import SPEC
from tests.support.in_process_command import Workspace

SELECTED = {"selector", "provider", "kind"}
ONE_JOB = {"set"}
"""Verbs that edit one job, so that an option must not select many."""


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return a directory with the jobs `chat` and `docs` of the team `support`, and `ranker` of the team `search`."""
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-chat", "ftjob-docs", "ftjob-ranker")
    for name, team in (("chat", "support"), ("docs", "support"), ("ranker", "search")):
        text = SPEC.format(name=name, provider="demo", job_id=f"ftjob-{name}", state="running")
        workspace.write(f"{name}.yaml", text.replace("metadata: {", f"metadata: {{labels: {{team: {team}}}, "))
    workspace.run("--once")
    return workspace


def suspended(workspace: Workspace) -> list[str]:
    return [path.stem for path in sorted(workspace.specs.glob("*.yaml")) if "suspend: true" in path.read_text()]


def parameters(verb: str) -> list[click.Parameter]:
    command = reconcile.get_command(click.Context(reconcile), verb)
    assert command is not None
    return command.params


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if any(isinstance(each.type, JobName) for each in parameters(verb))]
)
def test_every_verb_that_names_jobs_selects_them_by_label_provider_and_kind(verb: str) -> None:
    options = {each.name for each in parameters(verb)}

    assert options >= SELECTED or (verb in ONE_JOB and "kind" in options)


def test_suspend_and_unsuspend_edit_the_selected_specs(workspace: Workspace) -> None:
    assert workspace.run("suspend", "--selector", "team=support").code == 0
    assert suspended(workspace) == ["chat", "docs"]

    assert workspace.run("unsuspend", "docs", "--selector", "team=support").code == 0
    assert suspended(workspace) == ["chat"]

    assert workspace.run("unsuspend", "--provider", "demo").code == 0
    assert suspended(workspace) == []


def test_describe_shows_each_selected_job(workspace: Workspace) -> None:
    ran = workspace.run("describe", "--selector", "team=support")
    titles = [line for line in ran.out.splitlines() if line in ("chat", "docs", "ranker")]

    assert (ran.code, titles) == (0, ["chat", "docs"])
    assert "\n\ndocs\n" in ran.out


def test_wait_waits_for_the_selected_jobs(workspace: Workspace) -> None:
    ran = workspace.run("wait", "--selector", "team=search", "--timeout", "1s")

    assert (ran.code, ran.out) == (0, "ranker: running, AsDesired\n")


def test_retry_makes_a_pass_for_the_selected_jobs(workspace: Workspace) -> None:
    for name in ("chat", "ranker"):
        workspace.run("set", name, "cancelled")

    assert workspace.run("retry", "--selector", "team=search").code == 0
    assert workspace.asked() == [("cancel", "ftjob-ranker")]


@pytest.mark.parametrize("verb", ["describe", "wait", "retry", "suspend", "unsuspend"])
def test_a_verb_without_a_name_and_without_a_selection_does_nothing(workspace: Workspace, verb: str) -> None:
    ran = workspace.run(verb)

    assert ran.code == 64
    assert "Name a job, or select jobs with --selector, --provider or --kind." in ran.err
    assert suspended(workspace) == []


@pytest.mark.parametrize("verb", ["describe", "wait", "retry", "suspend", "unsuspend"])
def test_a_selection_without_a_job_is_an_error(workspace: Workspace, verb: str) -> None:
    ran = workspace.run(verb, "--selector", "team=suport")

    assert ran.code == 64
    assert "no spec has the label team=suport. Did you mean 'team=support'" in ran.err


@pytest.mark.parametrize("verb", ["get", "describe", "events", "diff", "wait", "suspend"])
def test_a_named_job_that_the_selection_leaves_out_is_reported_as_such(workspace: Workspace, verb: str) -> None:
    ran = workspace.run(verb, "chat", "--selector", "team=search")

    assert ran.code == 64
    assert "the job 'chat' exists, but does not match --selector and --provider." in ran.err
