from __future__ import annotations

import re
import shlex
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from reconciler.cli import main
from reconciler.cli.group import VERBS, reconcile
from reconciler.cli.shared_option import Shared

Captured = pytest.CaptureFixture[str]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("plna", "There is no verb 'plna'. Did you mean 'plan'?"),
        ("--onec", "Did you mean '--once'"),
        ("plan --selecter a=b", "Did you mean '--selector'?"),
        ("plan --detailed-exit-code", "Did you mean '--detailed-exitcode'?"),
        ("--once plan", "--once cannot be combined with the verb 'plan'."),
        ("--allow-cancels 3 get", "--allow-cancels cannot be combined with the verb 'get'."),
        ("--wait", "--wait needs --once."),
        ("--dry-run", "--dry-run needs --once."),
        ("--once --wait=soon", "'soon' is not a duration"),
        ("--once --timeout 5", "'5' is not a duration"),
        ("plan --selector team", "'team' is not a selector"),
        ("plan --allow-cancels few", "'few' is not a whole number of at least 0"),
        ("plan --max-cancel-percent 101", "'101' is not a whole number from 0 to 100"),
        ("get -o csv", "'csv' is not one of"),
        ("plan --trust no-such-file", "'no-such-file' does not exist"),
        ("sandbox --port 99999", "'99999' is not a whole number from 0 to 65535"),
        ("sandbox --fault=", "--fault '' is not one rule: write it as {fault: status, status: 503, on: cancel}"),
        ("sandbox --fault {a:", "--fault '{a:': invalid YAML"),
        ("sandbox --fault x", "--fault 'x': must be a mapping, but is 'x'"),
        ('sandbox --fault {"fault":"x"}', "must have the key 'fault' with one of 'status',"),
        ('sandbox --fault {"fault":"status","status":9999}', ": status: must be at most 599, but is '9999'"),
    ],
)
def test_a_wrong_command_line_prints_a_message_and_exits_with_64(
    arguments: str, sentence: str, capsys: Captured
) -> None:
    code = main(arguments.split())

    told = capsys.readouterr()
    assert code == 64
    assert sentence in told.err
    assert told.out == ""


def test_help_lists_every_command_and_every_exit_code(capsys: Captured) -> None:
    code = main(["--help"])

    told = capsys.readouterr().out
    assert code == 0
    assert all(f"  {verb}  " in told for verb in VERBS)
    assert all(f"{number:>4}  " in told for number in (0, 1, 2, 3, 64, 65, 69, 70, 75, 78))


def test_help_imports_no_heavy_library() -> None:
    script = (
        "import sys; from reconciler.cli import main; main(['--help']); "
        "print({'pydantic', 'httpx', 'rich', 'yaml', 'asyncio', 'starlette'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stderr.strip() == "set()"


def test_the_error_for_an_invalid_variable_names_it(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("RECONCILE_MAX_CANCELS", "many")

    assert main(["plan"]) == 64
    assert "'--max-cancels' (from the variable RECONCILE_MAX_CANCELS): 'many' is not" in capsys.readouterr().err


@pytest.mark.parametrize("verb", VERBS)
def test_the_summary_of_a_command_is_the_first_sentence_of_its_help(verb: str) -> None:
    command = reconcile.get_command(click.Context(reconcile), verb)

    assert command is not None
    assert command.get_short_help_str(limit=200) == VERBS[verb]


@pytest.mark.parametrize("verb", VERBS)
def test_every_command_has_help(verb: str, capsys: Captured) -> None:
    assert main([verb, "--help"]) == 0
    assert f"Usage: reconcile {verb}" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_every_help_has_valid_examples(verb: str, capsys: Captured) -> None:
    main([*verb.split(), "--help"])
    told = capsys.readouterr().out.partition("For example:\n")[2].partition("\n\n")[0]
    examples = re.findall(rf"reconcile {verb}[^>|)\n]*", told)

    assert examples
    for example in examples:
        _, *arguments = shlex.split(example)
        assert main([*arguments, "--help"]) == 0, example


@pytest.mark.parametrize("arguments", ["version", "--version"])
def test_version_prints_the_distribution_name(arguments: str, capsys: Captured) -> None:
    code = main([arguments])

    assert code == 0
    assert capsys.readouterr().out.startswith("llm-job-reconciler ")


@click.group()
@click.option("--specs", cls=Shared, default="specs")
def outer(specs: str) -> None:
    click.echo(specs)


@outer.command()
@click.option("--specs", cls=Shared, default="specs")
def inner(specs: str) -> None:
    click.echo(specs)


@pytest.mark.parametrize(
    ("arguments", "variable", "heard"),
    [
        ("inner", None, ["specs", "specs"]),
        ("inner", "from-variable", ["from-variable", "from-variable"]),
        ("--specs before inner", "from-variable", ["before", "before"]),
        ("inner --specs after", "from-variable", ["from-variable", "after"]),
        ("--specs before inner --specs after", None, ["before", "after"]),
    ],
)
def test_an_option_may_precede_or_follow_the_command(arguments: str, variable: str | None, heard: list[str]) -> None:
    said = CliRunner().invoke(outer, arguments.split(), env={"RECONCILE_SPECS": variable})

    assert said.output.split() == heard


def test_the_variable_for_trusted_hosts_is_not_read_as_a_file() -> None:
    variables = {option.envvar for option in reconcile.params if isinstance(option, Shared)}

    assert "RECONCILE_TRUST_FILES" in variables
    assert "RECONCILE_TRUST" not in variables


@pytest.mark.sampled(each="closed")
@pytest.mark.parametrize("closed", [1, 2])
@pytest.mark.parametrize("verb", ["version", "get", "validate"])
def test_a_stream_closed_by_the_caller_is_not_reported_as_a_bug(verb: str, closed: int) -> None:
    command = f"exec {shlex.quote(sys.executable)} -m reconciler {verb} {closed}>&-"

    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)

    assert ran.returncode == 0
    assert "bug" not in ran.stdout + ran.stderr
