from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from pathlib import Path

import click
import pytest

import reconciler
from reconciler.ci import HOSTS, HostRow, host_of, without_any_commands
from reconciler.ci.github import GitHub
from reconciler.ci.no_host import NO_HOST
from reconciler.cli.group import reconcile
from reconciler.errors import PermanentError
from reconciler.model.report import Report
from reconciler.ports import CiHost
from tests.support.github_api import GitHubApi, github_api
from tests.support.gitlab_api import GitLabApi, gitlab_api

PORT = {name for name in vars(CiHost) if not name.startswith("_")}
HOUSE = Path(reconciler.__file__).parent
SPEAKERS = sorted(path for package in ("cli", "wiring") for path in (HOUSE / package).glob("*.py"))
BY_ROW = pytest.mark.parametrize("row", HOSTS, ids=lambda row: row.flag)


@BY_ROW
def test_every_ci_host_implements_the_port_and_is_inactive_in_an_empty_environment(row: HostRow) -> None:
    host = row.opened({})

    assert {name for name in PORT if hasattr(host, name)} == PORT
    assert (host.summary_bytes_left, host.keeps_files, host.comment_target) == (None, False, None)
    assert host.annotations(Report(), Path("specs"), is_from_top=False) == ""


@BY_ROW
def test_a_ci_host_is_selected_by_its_flag_or_its_variable(row: HostRow) -> None:
    name, value = row.variable

    assert type(host_of({row.flag: True}, {})) is type(row.opened({}))
    assert type(host_of({row.flag: False}, {name: value})) is type(row.opened({}))
    assert host_of({row.flag: False}, {name: f"{value}?"}) is NO_HOST


@BY_ROW
@pytest.mark.parametrize("verb", ["plan", "validate", None])
def test_each_reporting_command_has_the_option_of_every_ci_host(row: HostRow, verb: str | None) -> None:
    command = reconcile if verb is None else reconcile.get_command(click.Context(reconcile), verb)

    assert command is not None
    assert [each.opts for each in command.params if each.name == row.flag] == [[f"--{row.flag}"]]


def test_without_a_ci_host_text_is_unchanged_and_no_feature_is_available() -> None:
    host: CiHost = host_of({}, {})

    assert host is NO_HOST
    assert host.without_commands("::error::x ##[y") == "::error::x ##[y"
    assert not host.reads_both_streams
    assert host.annotations(Report(), Path("specs"), is_from_top=False) == ""
    assert (host.summary_bytes_left, host.keeps_files, host.comment_target) == (None, False, None)
    with pytest.raises(LookupError):
        asyncio.run(host.put_comment("<!-- x -->", "y"))


def test_a_ci_host_whose_module_does_not_exist_raises_an_error_when_opened() -> None:
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        HostRow(host="nowhere:Nothing", flag="nowhere", help="", variable=("NOWHERE", "1")).opened({})


def test_the_commands_of_every_ci_host_are_escaped() -> None:
    assert without_any_commands("::error::x ##[y") == "\\x3a:error::x ##\\u005by"


def test_github_outputs_and_summaries_are_written_to_the_files_of_the_runner(tmp_path: Path) -> None:
    files = {"GITHUB_OUTPUT": "output", "GITHUB_STEP_SUMMARY": "summary", "RUNNER_TEMP": "."}
    host: CiHost = GitHub({name: str(tmp_path / file) for name, file in files.items()})
    room = host.summary_bytes_left
    host.add_summary("two\n")
    host.set_outputs({"commit-sha": "abc"})

    assert room is not None
    assert host.summary_bytes_left == room - len("two\n")
    assert host.write_file("plan.md", "text").read_text(encoding="utf-8") == "text"
    assert "commit-sha<<end-" in (tmp_path / "output").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", SPEAKERS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_the_cli_and_wiring_modules_do_not_name_a_ci_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8").lower()

    assert not [row.flag for row in HOSTS if row.flag in text]


def github(tmp_path: Path) -> tuple[AbstractContextManager[GitHubApi], dict[str, str]]:
    event = tmp_path / "event.json"
    event.write_text(json.dumps({"pull_request": {"number": 7}}), encoding="utf-8")
    told = {"GITHUB_REPOSITORY": "ada/jobs", "GITHUB_TOKEN": "tok-1", "GITHUB_EVENT_PATH": str(event)}
    return github_api("tok-1"), told


def gitlab(_: Path) -> tuple[AbstractContextManager[GitLabApi], dict[str, str]]:
    told = {"CI_MERGE_REQUEST_IID": "7", "CI_MERGE_REQUEST_PROJECT_ID": "42", "GITLAB_TOKEN": "tok-1"}
    return gitlab_api("tok-1"), told


@pytest.mark.parametrize(
    ("served", "flag", "variable"), [(github, "github", "GITHUB_API_URL"), (gitlab, "gitlab", "CI_API_V4_URL")]
)
def test_a_redirect_by_the_api_of_a_host_names_the_variable_with_its_address(
    tmp_path: Path,
    served: Callable[[Path], tuple[AbstractContextManager[GitHubApi | GitLabApi], dict[str, str]]],
    flag: str,
    variable: str,
) -> None:
    serving, told = served(tmp_path)
    with serving as api:
        api.refuses = HTTPStatus.MOVED_PERMANENTLY
        host = host_of({flag: True}, {**told, variable: api.url})
        with pytest.raises(PermanentError) as refused:
            asyncio.run(host.put_comment("<!-- x -->", "y"))

    assert f"because the token would be sent there too: correct {variable}" in str(refused.value)
    assert api.writes == []
