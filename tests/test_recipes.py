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

import pytest
import yaml

from reconciler import wiring
from reconciler.controller.run_options import Paths
from reconciler.model.exit_code import ExitCode
from tests.support.cli import Checkout, started_sandbox
from tests.support.gitlab_component import COMPONENT, job_text
from tests.support.markdown_table import ROOT
from tests.support.processes import a_free_port
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.shown_commands import BIN, assert_shown, blocks, commands, run, succeed
from tests.support.workflows import RECIPES

GITHUB, GITLAB, FORGEJO, KUBERNETES = "GitHub Actions", "GitLab CI", "Forgejo Actions", "Kubernetes"
JENKINS, CRON = "Jenkins", "Cron or any other shell"
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
def project(tmp_path: Path) -> Clone:
    return a_clone(a_remote(tmp_path / "project.git"), tmp_path / "build")


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Sandbox]:
    with started_sandbox(tmp_path, "--port", "0") as url:
        yield Sandbox(url)


def test_the_gitlab_pipeline_gives_the_component_inputs_that_it_accepts() -> None:
    (text,) = blocks(RECIPES, "yml", section=GITLAB)
    pipeline = yaml.safe_load(text.replace("DIGEST", "a" * 64))
    jobs: dict[str, object] = {}
    for each in pipeline.pop("include"):
        assert each["remote"].endswith(f"/COMMIT/{COMPONENT.relative_to(ROOT)}")
        jobs |= yaml.safe_load(job_text(each["inputs"]))

    assert list(jobs) == ["reconcile-validate", "reconcile-plan", "reconcile-act"]
    assert set(pipeline) <= set(jobs)


def test_the_forgejo_workflow_uses_inputs_of_the_action() -> None:
    (text,) = blocks(RECIPES, "yaml", section=FORGEJO)
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    steps = [step for job in yaml.safe_load(text)["jobs"].values() for step in job["steps"]]
    given = [step["with"] for step in steps if "/.github/actions/reconcile@COMMIT" in step["uses"]]

    assert [each["command"] for each in given] == ["plan", "act"]
    assert {name for each in given for name in each} <= set(action["inputs"])


def test_the_jenkins_pipeline_plans_a_change_and_acts_on_main(project: Clone, served: Sandbox, tmp_path: Path) -> None:
    (text,) = blocks(RECIPES, "groovy", section=JENKINS)
    (job_id,) = served.create(1)
    Checkout(project.root).want("triage", job_id, provider="openai")
    project.commit("Stop the job")
    project.push()
    install, *steps = re.findall(r"sh '([^']*)'", text)
    variables = {**served.environ, "GIT_URL": (tmp_path / "project.git").as_uri(), "PUSH_PSW": "of-nobody"}
    ran = [run(each.replace(".venv/bin/", ""), project.root, is_merged=True, **variables) for each in steps]

    assert install.startswith("python3 -m venv .venv && .venv/bin/pip install")
    assert [each.returncode for each in ran] == [0, 0, 0], ran
    assert "Plan: 1 to cancel" in ran[1].stdout
    assert served.cancels(job_id) == [job_id]
    assert {path.name for path in project.root.glob("*.xml")} == {"validate.xml", "plan.xml", "act.xml"}


def test_the_script_for_cron_reconciles_and_prints_only_failures(
    project: Clone, served: Sandbox, tmp_path: Path
) -> None:
    (script,) = blocks(RECIPES, "sh", section=CRON)
    (job_id,) = served.create(1)
    Checkout(project.root).want("triage", job_id, provider="openai")
    project.commit("Stop the job")
    project.push()
    path, environment, state = tmp_path / "reconcile-once", tmp_path / "environment", tmp_path / "state"
    path.write_text(script, encoding="utf-8")
    remote = (tmp_path / "project.git").as_uri()
    environment.write_text(
        "".join(f"{name}={value}\n" for name, value in {**served.environ, "SPECS_URL": remote}.items()),
        encoding="utf-8",
    )
    command = f"sh {path} {environment}"
    acted = run(command, tmp_path, is_merged=True, STATE=str(state))
    locked = run(f"flock {state}/run.lock {command}", tmp_path, is_merged=True, STATE=str(state), SPECS_URL="")
    failed = run(command, tmp_path, is_merged=True, STATE=str(state), RECONCILE_GIT_REF="missing")

    assert (acted.returncode, acted.stdout) == (0, "")
    assert served.cancels(job_id) == [job_id]
    assert (locked.returncode, locked.stdout) == (0, "")
    assert failed.returncode != 0
    assert "missing" in failed.stdout


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
