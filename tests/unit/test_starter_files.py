from __future__ import annotations

import pytest
import yaml

from reconciler.local.operator_file import parse_rules
from reconciler.model.account_line import FINE_TUNING_JOB
from reconciler.ports import jobs_by_kind
from reconciler.providers import NAMES, load
from reconciler.views.starter_files import ACTION, InitResult, Starter, init_text, starter_files
from tests.support.reports import CONTEXT
from tests.support.workflows import readme_workflows

OPENAI = Starter("openai", "OPENAI_API_KEY", FINE_TUNING_JOB, ACTION, "specs")
WORKFLOWS = (".github/workflows/plan.yml", ".github/workflows/reconcile.yml")


def a_starter(type_: str, *, action: str = ACTION, specs: str = "specs") -> Starter:
    loaded = load(type_)
    return Starter(type_, loaded.key_variable, next(iter(jobs_by_kind(loaded))), action, specs)


@pytest.mark.parametrize("path", WORKFLOWS)
def test_the_workflows_for_openai_are_those_of_the_readme(path: str) -> None:
    assert f"# {path}\n{starter_files(OPENAI)[path]}" == readme_workflows()[path]


@pytest.mark.parametrize("type_", sorted(NAMES))
def test_the_files_for_every_type_are_yaml_without_leftover_placeholders(type_: str) -> None:
    starter = a_starter(type_, action=f"acme/reconcile@{'a' * 40}", specs="llm/specs")
    for path, text in starter_files(starter).items():
        loaded = list(yaml.safe_load_all(text))

        assert not [word for word in ("OWNER", "COMMIT", "KIND", "TYPE`", "CREDENTIAL") if word in text], path
        if path in WORKFLOWS:
            steps = [step for job in loaded[0]["jobs"].values() for step in job["steps"]]
            ours = [step for step in steps if "reconcile" in step["uses"]]
            assert {step["with"]["specs"] for step in ours} == {"llm/specs"}
            assert {step["uses"] for step in ours} == {f"acme/reconcile/.github/actions/reconcile@{'a' * 40}"}
            assert {name for step in ours for name in step.get("env", {})} == {starter.secret} - {None}


def test_the_operator_file_is_valid_without_its_comment_marks() -> None:
    example = starter_files(OPENAI)["operator.example.yaml"]
    lines = example.partition("#\n")[2].splitlines()
    rules = parse_rules("\n".join(line.removeprefix("# ") for line in lines).encode(), "operator.yaml")

    assert rules.diagnostics == ()
    assert rules.bindings
    assert rules.spec.safety.max_cancels == 3


def test_the_commented_example_is_a_spec_without_its_comment_marks() -> None:
    lines = starter_files(OPENAI)["specs/example.yaml"].splitlines()
    document = yaml.safe_load("\n".join(line.removeprefix("# ") for line in lines[2:]))

    assert yaml.safe_load("\n".join(lines)) is None
    assert (document["kind"], document["spec"]["jobId"]) == ("FineTuningJob", "ID")


@pytest.mark.parametrize(
    ("starter", "told"),
    [
        (a_starter("sandbox"), "reconcile --once --wait"),
        (OPENAI, "export OPENAI_API_KEY=..."),
        (OPENAI, f"In the workflows, {ACTION} is the repository"),
        (OPENAI, "with the secret OPENAI_API_KEY"),
        (a_starter("vertex-ai"), "reconcile validate"),
    ],
)
def test_the_result_names_the_next_steps(starter: Starter, told: str) -> None:
    assert told in init_text(InitResult([("specs/provider.yaml", "written")], starter), CONTEXT)


def test_a_given_commit_needs_no_further_step() -> None:
    text = init_text(InitResult([], a_starter("openai", action=f"acme/reconcile@{'a' * 40}")), CONTEXT)

    assert "In the workflows" not in text
