from __future__ import annotations

import re

import click
import pytest

from reconciler.cli import main
from reconciler.cli.group import VERBS, reconcile
from reconciler.cli.other_tools import (
    ARGUMENTS_ELSEWHERE,
    OPTIONS_ELSEWHERE,
    VERBS_ELSEWHERE,
    argument_hint,
    option_hint,
    verb_hint,
)

WORDS = [word for words in VERBS_ELSEWHERE for word in words]
OPTIONS = [word for words in OPTIONS_ELSEWHERE for word in words]
HINTS = [*VERBS_ELSEWHERE.values(), *OPTIONS_ELSEWHERE.values(), *ARGUMENTS_ELSEWHERE.values()]
HABITS = [
    ("kubectl delete NAME", "delete chat", "`reconcile set NAME cancelled`"),
    ("kubectl get -w", "get -w", "use --watch"),
    ("kubectl get -l KEY=VALUE", "get -l team=support", "--selector KEY=VALUE"),
    ("kubectl get -A", "get -A", "There are no namespaces"),
    ("kubectl get -n NAMESPACE", "get -n default", "There are no namespaces"),
    ("kubectl get --sort-by", "get --sort-by=.metadata.name", "For programs"),
    ("kubectl get --field-selector", "get --field-selector a=b", "--selector KEY=VALUE"),
    ("kubectl get -o jsonpath", "get -o jsonpath={.items}", "is not one of table, wide, json"),
    ("kubectl logs -f NAME", "logs -f chat", "`reconcile describe NAME --events`"),
    ("kubectl rollout undo", "rollout undo", "A cancel cannot be undone"),
    ("kubectl edit", "edit chat", "Edit the spec"),
    ("kubectl create -f FILE", "create -f job.yaml", "No job is created here"),
    ("kubectl top", "top jobs", "`reconcile get --watch`"),
    ("kubectl api-resources", "api-resources", "`reconcile explain`"),
    ("kubectl apply -f FILE", "apply -f job.yaml", "Specs are read from the directory in --specs."),
    ("kubectl run", "run chat", "No job is created here"),
    ("flux reconcile", "reconcile kustomization a", "`reconcile --once --wait`"),
    ("flux resume", "resume chat", "`reconcile set NAME running`"),
    ("flux bootstrap", "bootstrap github", "`reconcile init`"),
    ("flux tree, flux trace", "trace chat", "`reconcile describe NAME`"),
    ("argocd app sync", "app sync chat", "The verb comes first"),
    ("argocd login", "login", "`reconcile providers`"),
    ("terraform apply -auto-approve", "apply -auto-approve", "A long option has two dashes: --auto-approve."),
    ("terraform apply FILE", "apply plan.out", "run `reconcile --once --plan FILE`"),
    ("terraform plan -out=FILE", "plan -out=plan.json", "A long option has two dashes: --out."),
    ("terraform validate FILE", "validate job.yaml", "checks every document in the directory of --specs"),
    ("terraform plan NAME", "plan chat", "To select jobs, use --selector, --provider or --kind."),
    ("terraform plan -target", "plan -target=a.b", "--selector, --provider or --kind"),
    ("terraform plan -detailed-exitcode", "plan -detailed-exitcode", "two dashes: --detailed-exitcode"),
    ("terraform destroy", "destroy", "`reconcile set NAME cancelled`"),
    ("terraform plan -destroy", "plan -destroy", "`reconcile set NAME cancelled`"),
    ("terraform import", "import a b", "`reconcile adopt`"),
    ("terraform show, terraform state list", "show", "`reconcile get`"),
    ("terraform fmt", "fmt", "`reconcile validate`"),
    ("terraform force-unlock", "force-unlock 1", "A lock ends with its process"),
    ("terraform apply -var", "apply -var a=b", "Specs have no variables."),
    ("gh run list", "list", "`reconcile get`"),
    ("gh run view", "view 1", "`reconcile describe NAME`"),
    ("gh run cancel", "cancel 1", "`reconcile set NAME cancelled`"),
    ("gh --json --jq", "get --json name", "use -o json"),
    ("gh auth login", "auth login", "`reconcile providers`"),
    ("gh help", "help", "`reconcile --help`"),
    ("git status", "status", "`reconcile get`"),
    ("git log", "log", "`reconcile events --watch`"),
    ("git revert", "revert", "A cancel cannot be undone"),
]


def known_options(verb: str | None) -> set[str]:
    command = reconcile if verb is None else reconcile.get_command(click.Context(reconcile), verb)
    assert command is not None
    return {each for param in command.params for each in param.opts}


@pytest.mark.parametrize("hint", HINTS)
def test_every_command_in_a_hint_exists(hint: str) -> None:
    for command in re.findall(r"`reconcile ?([^`]*)`", hint):
        words = command.split()
        verb = words[0] if words and not words[0].startswith("-") else None
        assert verb is None or verb in VERBS
        assert {word for word in words if word.startswith("--")} <= {*known_options(verb), "--help"}


def test_no_word_of_another_tool_is_a_verb_or_an_option_here() -> None:
    assert not set(WORDS) & set(VERBS)
    assert len(set(WORDS)) == len(WORDS)
    assert len(set(OPTIONS)) == len(OPTIONS)
    assert not {option for verb in ("get", "plan", "apply", "describe") for option in known_options(verb)} & set(
        OPTIONS
    )


@pytest.mark.parametrize(("arguments", "told"), [each[1:] for each in HABITS], ids=[each[0] for each in HABITS])
def test_a_habit_of_another_tool_is_answered_with_what_to_run(
    arguments: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main(arguments.split())
    printed = capsys.readouterr()

    assert code == 64
    assert told in printed.err
    assert printed.out == ""


def test_unknown_words_have_no_hint() -> None:
    assert verb_hint("frobnicate") == ""
    assert option_hint("--frobnicate", ["--frobnicate"], ["--watch"]) == ""
    assert option_hint("-z", ["-z"], ["--watch"]) == ""
    assert argument_hint("version") == argument_hint(None) == ""


def test_an_option_with_one_dash_is_told_apart_from_a_format(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["get", "-output=json"]) == 64
    assert "A long option has two dashes: --output." in capsys.readouterr().err

    assert main(["get", "-ojson5"]) == 64
    assert "'json5' is not one of table, wide, json" in capsys.readouterr().err


def test_every_verb_with_a_hint_for_its_argument_has_the_options_that_the_hint_names() -> None:
    for verb, hint in ARGUMENTS_ELSEWHERE.items():
        assert set(re.findall(r"--[a-z]+", re.sub(r"`[^`]*`", "", hint))) <= known_options(verb)


def test_a_hint_does_not_depend_on_case() -> None:
    assert verb_hint("Delete") == verb_hint("delete") != ""
