"""The claims of the documents: every command is run, every YAML block read, every table compared with the code.

`python -m tests.test_docs --write` rewrites the tables, the schema of the specs, and the alerts for the Prometheus
Operator.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from textwrap import indent

import click
import pytest
import yaml

from reconciler import wiring
from reconciler.cli.group import reconcile
from reconciler.controller.run_options import Paths
from reconciler.model.exit_code import PRECEDENCE, ExitCode
from reconciler.views.json_schema import json_schema
from tests.pictures import PICTURE, picture, said_by
from tests.support.cli import started_sandbox
from tests.support.markdown_table import ROOT
from tests.support.shown_commands import BIN, assert_shown, blocks, commands, run, settled, succeed
from tests.support.tables import OPTIONS, README, TABLES, exit_codes, with_tables
from tests.support.workflows import readme_workflows

SCHEMA = ROOT / "specs" / ".schema.json"
ALERTS = ROOT / ".github" / "alerts.yaml"
RULE = ROOT / ".github" / "deploy" / "components" / "monitoring" / "prometheus-rule.yaml"
DOCUMENTS = [README, *sorted((ROOT / ".github").rglob("*.md"))]
MODELINE = "# yaml-language-server: $schema=.schema.json\n"
README_LINES_MAX = 300

_LINK = re.compile(r"\]\(([^)#:]+)\)")
_ANCHOR = re.compile(r"\]\(([^)#:]*)#([^)]+)\)")
_FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_PLACE = re.compile(r"`([\w.]+)` (?:in|of) `([\w/]+\.py)`")


def schema_text() -> str:
    """Return the schema that `reconcile schema` prints if no third-party provider types are installed."""
    return json.dumps(json_schema(OPTIONS), indent=2) + "\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return a directory with the example specs, no status, and a stand-in for the virtual environment."""
    shutil.copytree(ROOT / "specs", tmp_path / "specs", ignore=shutil.ignore_patterns("status"))
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "bin").symlink_to(BIN)
    return tmp_path


def sessions(*, of_the_crowd: bool) -> Iterator[tuple[str, str]]:
    """Return each command of the `console` blocks, in order, with the part of its output that the README shows."""
    for block in blocks(README, "console"):
        if ("adopt" in block) is of_the_crowd:
            yield from commands(block)


def test_every_command_prints_the_output_shown_in_the_readme(clone: Path) -> None:
    """The commands start in the state that the README's first command leaves, which has its own test."""
    succeed("reconcile --once --wait", clone)
    for command, shown in sessions(of_the_crowd=False):
        assert_shown(command, shown, succeed(command, clone))


def test_the_picture_shows_the_current_output_of_the_commands() -> None:
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    today, shown = (settled("\n".join(said_by(svg))) for svg in (picture(path), PICTURE.read_text(encoding="utf-8")))

    assert shown == today, "python -m tests.pictures"


def test_six_commands_lead_from_thirty_jobs_to_a_reviewed_setup(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    succeed("git init -q . && git config user.name Ada && git config user.email ada@example.org", tmp_path)
    session = list(sessions(of_the_crowd=True))
    with started_sandbox(tmp_path, "--crowd", "30", "--port", "0") as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        for command, shown in session:
            assert_shown(command, shown, succeed(command, tmp_path))

    assert len(session) <= 6


def test_the_first_readme_command_reconciles_the_example_specs(clone: Path) -> None:
    """The current environment replaces the one that the command would create. `.ci/run` creates one from scratch."""
    first, _ = blocks(README, "sh")
    make, install, rest = first.strip().split(" && ")
    done = run(rest, clone)

    assert (make, install) == ("python3 -m venv .venv", ".venv/bin/pip install -q .")
    assert done.returncode == 0, done.stderr
    assert "confirmed cancelled" in done.stdout
    assert len(list((clone / "specs" / "status").glob("*.yaml"))) == len(list((clone / "specs").glob("*.yaml"))) - 1


def test_the_second_readme_command_runs_the_tests_as_ci_does() -> None:
    _, second = blocks(README, "sh")
    install, tests = second.strip().split(" && ")

    assert install == ".venv/bin/pip install -q -e '.[test]'"
    assert f"python -m pytest{tests.partition('pytest')[2]}" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


@pytest.mark.parametrize("block", blocks(README, "yaml"))
def test_every_yaml_block_in_the_documents_is_valid(block: str, tmp_path: Path) -> None:
    (tmp_path / "block.yaml").write_text(block, encoding="utf-8")
    report = wiring.validate(Paths(tmp_path))

    assert report.diagnostics == ()
    assert report.exit_code is ExitCode.OK


@pytest.mark.parametrize(("document", "name"), [(document, name) for document in TABLES for name in TABLES[document]])
def test_a_generated_table_matches_the_code(document: Path, name: str) -> None:
    text = document.read_text(encoding="utf-8")

    assert f"<!-- {name} -->\n{TABLES[document][name]()}\n<!-- /{name} -->" in text, "python -m tests.test_docs --write"


def test_the_help_lists_the_exit_codes_of_the_model_in_order() -> None:
    codes = [int(code) for code in re.findall(r"^\| `(\d+)`", exit_codes(), re.MULTILINE)]

    assert codes == [*PRECEDENCE, ExitCode.USAGE, ExitCode.OK]
    assert set(codes) == set(ExitCode)


@pytest.mark.parametrize("verb", reconcile.list_commands(click.Context(reconcile)))
def test_every_command_has_help_and_is_in_the_readme(verb: str) -> None:
    command = reconcile.get_command(click.Context(reconcile), verb)

    assert command is not None
    assert command.help
    assert f"| `reconcile {verb}` |" in README.read_text(encoding="utf-8")


def test_the_schema_beside_the_specs_equals_the_printed_schema() -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "python -m tests.test_docs --write"


def rule_text() -> str:
    """Return the alerts as an object of the Prometheus Operator."""
    return (
        "# Written by `python -m tests.test_docs --write` from .github/alerts.yaml.\n"
        "apiVersion: monitoring.coreos.com/v1\n"
        "kind: PrometheusRule\n"
        "metadata:\n"
        "  name: reconcile\n"
        "  labels: {app.kubernetes.io/name: reconcile}\n"
        "spec:\n" + indent(ALERTS.read_text(encoding="utf-8").partition("\n")[2], "  ")
    )


def test_the_prometheus_rule_has_the_shipped_alerts() -> None:
    assert RULE.read_text(encoding="utf-8") == rule_text(), "python -m tests.test_docs --write"


@pytest.mark.parametrize("path", sorted((ROOT / "specs").glob("*.yaml")), ids=lambda path: path.name)
def test_every_example_spec_refers_editors_to_the_schema(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(MODELINE)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_resolves(path: Path) -> None:
    targets = _LINK.findall(path.read_text(encoding="utf-8"))

    assert [target for target in targets if not (path.parent / target).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_heading_resolves(path: Path) -> None:
    links = _ANCHOR.findall(path.read_text(encoding="utf-8"))

    assert [link for link in links if link[1] not in anchors(path.parent / link[0] if link[0] else path)] == []


def anchors(document: Path) -> set[str]:
    """Return the anchors of the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", _FENCED.sub("", document.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_name_that_a_document_places_in_a_file_is_in_that_file(path: Path) -> None:
    """A document writes `NAME in FILE`, with the last part of the path of the file, or all of it."""
    files = [*(ROOT / "reconciler").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]
    wrong = [
        f"{name} in {file}"
        for name, file in _PLACE.findall(path.read_text(encoding="utf-8"))
        if not any(
            re.search(rf"\b{name.rpartition('.')[2]}\b", each.read_text(encoding="utf-8"))
            for each in files
            if each.as_posix().endswith(f"/{file}")
        )
    ]

    assert wrong == []


@pytest.mark.parametrize("path", readme_workflows())
def test_a_workflow_in_the_readme_equals_the_shipped_one(path: str) -> None:
    """Only the user's own values differ: the key, the schedule and the timeout."""
    shown = yaml.safe_load(readme_workflows()[path])
    ships = yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))
    for workflow in (shown, ships):
        for job in workflow["jobs"].values():
            job.pop("timeout-minutes", None)
            for step in job["steps"]:
                step.pop("env", None)
                step["uses"] = step["uses"].replace("OWNER/REPO/.github", "./.github").removesuffix("@COMMIT")
        on = workflow[True]  # which is how YAML 1.1 reads `on`
        if "schedule" in on:
            on["schedule"] = "some time"

    assert shown == ships


def test_the_readme_has_at_most_300_lines() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) < README_LINES_MAX


def test_every_dependency_is_explained_in_contributing() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    needed = [
        *project["dependencies"],
        *(each for extra in project["optional-dependencies"].values() for each in extra),
    ]
    names = {re.split(r"[<>=!~\[; ]", each)[0] for each in needed}
    text = (ROOT / ".github" / "CONTRIBUTING.md").read_text(encoding="utf-8")
    told = re.findall(r"^- `([\w.-]+)`: \S", text.partition("## Dependencies")[2].partition("\n## ")[0], re.MULTILINE)

    assert sorted(told) == sorted(names)


if __name__ == "__main__" and sys.argv[1:] == ["--write"]:
    for each in TABLES:
        each.write_text(with_tables(each), encoding="utf-8")
    SCHEMA.write_text(schema_text(), encoding="utf-8")
    RULE.write_text(rule_text(), encoding="utf-8")
