"""The recipes: their documents are validated, and their commands and pipelines are run against a sandbox."""

from __future__ import annotations

import configparser
import re
import shlex
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler import wiring
from reconciler.controller.run_options import Paths
from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout, started_sandbox
from tests.support.markdown_table import ROOT
from tests.support.processes import a_free_port
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.shown_commands import BIN, assert_shown, blocks, commands, run, succeed
from tests.support.workflows import RECIPES

GITHUB, GITLAB, KUBERNETES = "GitHub Actions", "GitLab CI", "Kubernetes"
MACHINE, LIMITS = "A machine with systemd", "Limits for a team"
MOVING = ("Moving from scripts", "Moving from Terraform or dashboards")
MANIFESTS = ROOT / ".github" / "deploy" / "kubernetes.yaml"
ACTION = ROOT / ".github" / "actions" / "reconcile" / "action.yml"
CANCELS_WITHIN_S = 60
SYSTEMD_ANALYZE = shutil.which("systemd-analyze")


def named(section: str) -> dict[str, str]:
    """Return the documents of a section: the text of each, by the path in its first line."""
    return {block.partition("\n")[0].removeprefix("# "): block for block in blocks(RECIPES, "yaml", section=section)}


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize(("section", "count"), [(KUBERNETES, 1), (LIMITS, 3)])
def test_the_documents_of_a_recipe_are_valid(section: str, count: int, tmp_path: Path) -> None:
    documents = {name: text for name, text in named(section).items() if name.startswith("specs/")}
    write(tmp_path, documents)
    report = wiring.validate(Paths(tmp_path / "specs"))

    assert report.diagnostics == ()
    assert len(documents) == count


def test_the_operators_file_of_the_team_is_valid_and_allows_the_key(tmp_path: Path) -> None:
    (operator,) = (text for name, text in named(LIMITS).items() if not name.startswith("specs/"))
    write(tmp_path, {**named(LIMITS), "operator.yaml": operator})
    succeed("reconcile validate --config operator.yaml", tmp_path)
    checked = run("reconcile providers --config operator.yaml", tmp_path, SUPPORT_KEY="sk-support")

    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_search_for_missing_limits_finds_a_spec_without_one(tmp_path: Path) -> None:
    (search,) = blocks(RECIPES, "sh", section=LIMITS)
    write(tmp_path, named(LIMITS))
    before = run(search, tmp_path).stdout
    spec = tmp_path / "specs" / "support" / "triage.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("maxAge: 24h, ", ""), encoding="utf-8")

    assert (before, run(search, tmp_path).stdout) == ("", "specs/support/triage.yaml\n")


def test_the_commands_that_replace_a_script_print_what_the_recipes_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_sandbox(tmp_path, "--crowd", "30", "--port", "0") as url:
        monkeypatch.setenv("OPENAI_BASE_URL", url)
        monkeypatch.setenv("OPENAI_API_KEY", "any")
        for block in (block for section in MOVING for block in blocks(RECIPES, "console", section=section)):
            for command, shown in commands(block):
                assert_shown(command, shown, succeed(command, tmp_path, is_merged=True))


def test_the_morning_check_uses_inputs_and_outputs_of_the_action() -> None:
    (text,) = blocks(RECIPES, "yml", section=GITHUB)
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    (job,) = yaml.safe_load(text)["jobs"].values()
    given = {name for step in job["steps"] if "OWNER/REPO" in step.get("uses", "") for name in step["with"]}
    used = set(re.findall(r"steps\.plan\.outputs\.([\w-]+)", text))

    assert given
    assert given <= set(action["inputs"])
    assert used
    assert used <= set(action["outputs"])


@pytest.fixture
def gitlab() -> dict[str, Any]:
    (text,) = blocks(RECIPES, "yml", section=GITLAB)
    pipeline: dict[str, Any] = yaml.safe_load(text)
    return pipeline


@pytest.fixture
def project(tmp_path: Path) -> Clone:
    return a_clone(a_remote(tmp_path / "project.git"), tmp_path / "build")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Sandbox]:
    with started_sandbox(tmp_path, "--port", "0") as url:
        yield Sandbox(url)


def test_the_gitlab_pipeline_plans_a_merge_request_and_acts_on_main(
    gitlab: dict[str, Any], project: Clone, served: Sandbox, tmp_path: Path
) -> None:
    (job_id,) = served.create(1)
    checkout = Checkout(project.root)
    checkout.want("triage", job_id, provider="openai")
    project.commit("Stop the job")
    project.push()
    project.git("checkout", "--quiet", "--detach")
    remote = (tmp_path / "project.git").as_uri()
    variables = {**served.environ, "CI_REPOSITORY_URL": remote, "CI_PROJECT_URL": remote.removesuffix(".git")}
    planned, acted, again = (_job(gitlab, name, project.root, variables) for name in ("plan", "act", "plan"))

    assert planned.returncode == 0, planned.stdout
    assert "Plan: 1 to cancel" in planned.stdout
    assert (project.root / "validate.xml").exists()
    assert acted.returncode == 0, acted.stdout
    assert "Requested: 1 cancel." in acted.stdout
    assert served.cancels(job_id) == [job_id]
    assert again.returncode == 0, again.stdout
    assert "nothing to change" in again.stdout
    assert project.git("ls-remote", "origin", "reconcile-status")


def _job(pipeline: dict[str, Any], name: str, root: Path, variables: dict[str, str]) -> Any:
    """Run a job of a pipeline as a runner does: its lines in one shell that ends with the first error."""
    shutil.rmtree(root.parent / "statuses", ignore_errors=True)
    return run("\n".join(["set -eo pipefail", *pipeline[name]["script"]]), root, is_merged=True, **variables)


def test_the_kubernetes_commands_name_what_is_in_the_manifests() -> None:
    (text,) = blocks(RECIPES, "sh", section=KUBERNETES)
    manifests = MANIFESTS.read_text(encoding="utf-8")
    names = {(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(manifests)}
    create, apply, *rest = text.splitlines()

    assert f"# {create}" in manifests
    assert apply.endswith(f" {MANIFESTS.name}")
    assert [("Deployment", line.rpartition("/")[2]) in names for line in rest] == [True, True]


def unit() -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None, strict=False)  # a unit may repeat a key
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # which is how `configparser` keeps the case
    (text,) = blocks(RECIPES, "ini", section=MACHINE)
    parser.read_string(text)
    return parser["Service"]


@pytest.mark.skipif(SYSTEMD_ANALYZE is None, reason="no systemd-analyze (apt-get install systemd)")
@pytest.mark.parametrize("check", [("verify",), ("security", "--offline=true", "--threshold=20")], ids=lambda it: it[0])
def test_systemd_accepts_the_unit_and_rates_it_as_hardened(check: tuple[str, ...], tmp_path: Path) -> None:
    (text,) = blocks(RECIPES, "ini", section=MACHINE)
    path = tmp_path / "reconcile.service"
    path.write_text(text.replace("/opt/reconcile/bin/reconcile", f"{BIN}/reconcile"), encoding="utf-8")
    command = [str(SYSTEMD_ANALYZE), *check, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    # An unknown key is only a message, and leaves the exit code at 0.
    assert (done.returncode, str(path) in done.stderr) == (0, False), done.stdout + done.stderr


def test_the_unit_starts_a_watch_that_reports_to_systemd(project: Clone, served: Sandbox, tmp_path: Path) -> None:
    (job_id,) = served.create(1)
    Checkout(project.root).want("triage", job_id, provider="openai")
    project.commit("Stop the job")
    project.push()
    address = f"127.0.0.1:{a_free_port()}"
    line = unit()["ExecStart"].replace("https://github.com/example/specs.git", (tmp_path / "project.git").as_uri())
    for directory in ("/var/lib/reconcile", "/var/log/reconcile"):
        line = line.replace(directory, str(tmp_path))
    _, *arguments = shlex.split(line.replace("127.0.0.1:8080", address))
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(CANCELS_WITHIN_S)
        watchdog = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": f"{unit()['WatchdogSec']}000000"}
        with Checkout(tmp_path, {**served.environ, **watchdog}).start(*arguments) as process:
            first = systemd.recv(4096).decode().splitlines()
            wait_for(lambda: served.phase(job_id) == "cancelled", "the watch cancels the job", CANCELS_WITHIN_S)
            process.send_signal(signal.SIGHUP)
            wait_for(lambda: b"RELOADING=1" in systemd.recv(4096), "the watch reports its reload", CANCELS_WITHIN_S)
            process.send_signal(signal.SIGTERM)
            wait_for(lambda: b"STOPPING=1" in systemd.recv(4096), "the watch reports its stop", CANCELS_WITHIN_S)
            code = process.wait(timeout=float(unit()["TimeoutStopSec"]))

    assert first[:2] == ["READY=1", "WATCHDOG=1"]
    assert code == ExitCode.OK
    assert "cancel" in (tmp_path / "audit.jsonl").read_text(encoding="utf-8")
