"""The component for GitLab CI: its script runs in a checkout as the runner makes it, with a stand-in for GitLab's API.

The environment of each job is that of a container: exactly the variables of the job.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from pathlib import Path
from xml.dom.minidom import parseString

import pytest
import yaml

from tests.support.cli import Checkout
from tests.support.git_backend import NO_PUSH, GitBackend, git_backend
from tests.support.gitlab_api import JOB_TOKEN, NUMBER, PROJECT, SOMEBODY, GitLabApi, gitlab_api
from tests.support.gitlab_component import (
    DEPTH,
    InputError,
    Ran,
    checked_out,
    documents,
    job_of,
    run_job,
    variables_of,
)
from tests.support.markdown_table import ROOT
from tests.support.repositories import Clone, a_clone, a_remote
from tests.support.sandbox_client import Sandbox

TOKEN = "glpat-of-the-project"  # noqa: S105 - a canary
IMAGE = "registry.example/reconcile@sha256:" + "a" * 64
MERGE_REQUEST = f"refs/merge-requests/{NUMBER}/head"
SOMEBODY_ELSE = 12345
ACTION = ROOT / ".github" / "actions" / "reconcile" / "action.yml"
HOSTILE = (
    "$(touch pwned)",
    "`touch pwned`",
    "; touch pwned #",
    "' ; touch pwned ; '",
    '" ; touch pwned ; "',
    "a\ntouch pwned",
    "${CI_JOB_TOKEN}",
    "--help",
    "*",
)


@pytest.fixture
def api() -> Iterator[GitLabApi]:
    with gitlab_api(TOKEN) as served:
        yield served


@dataclass(frozen=True, slots=True)
class Project:
    """A project at GitLab with one spec, which requests the cancel of a job, on `main` and in a merge request."""

    root: Path
    clone: Clone
    sandbox: Sandbox
    api: GitLabApi
    job_id: str
    backend: GitBackend | None = None
    """Serves the repository over HTTP. Without it, the repository is at a path."""

    @property
    def remote(self) -> Path:
        """The repository."""
        return self.root / "project.git"

    def variables(self, ref: str) -> dict[str, str]:
        """Return the variables of a pipeline: of the merge request, or else of `main`."""
        common = {
            **self.sandbox.environ,
            "CI_API_V4_URL": self.api.url,
            "CI_COMMIT_SHA": self.clone.git("rev-parse", "HEAD"),
            "CI_JOB_TOKEN": JOB_TOKEN,
            "CI_PIPELINE_ID": "71",
            **self._urls(),
            "GITLAB_TOKEN": self.api.token,
        }
        if ref != MERGE_REQUEST:
            return common | {"CI_COMMIT_BRANCH": "main", "CI_DEFAULT_BRANCH": "main"}
        return common | {
            "CI_MERGE_REQUEST_DIFF_BASE_SHA": self.clone.git("rev-parse", "HEAD~1"),
            "CI_MERGE_REQUEST_IID": str(NUMBER),
            "CI_MERGE_REQUEST_PROJECT_ID": str(PROJECT),
        }

    def _urls(self) -> dict[str, str]:
        if self.backend is None:
            url, server = self.remote.as_uri(), "https://gitlab.example"
            return {"CI_PROJECT_URL": url.removesuffix(".git"), "CI_REPOSITORY_URL": url, "CI_SERVER_URL": server}
        server = self.backend.url
        of_job = server.replace("://", f"://gitlab-ci-token:{JOB_TOKEN}@")
        return {
            "CI_PROJECT_URL": f"{server}/{self.remote.stem}",
            "CI_REPOSITORY_URL": f"{of_job}/{self.remote.name}",
            "CI_SERVER_URL": server,
        }

    def run(
        self,
        command: str,
        *,
        depth: int = 0,
        shell: str = "sh",
        owner: int | None = None,
        environ: dict[str, str] | None = None,
        **inputs: object,
    ) -> Ran:
        """Run the job of a command in a new checkout: `act` on `main`, and the others in the merge request."""
        ref = "refs/heads/main" if command == "act" else MERGE_REQUEST
        number = len(list(self.root.glob("build-*")))
        build = checked_out(self.remote, self.root / f"build-{number}" / "project", ref, depth)
        if owner is not None:
            for path in (build.root, *build.root.rglob("*")):
                os.chown(path, owner, owner, follow_symlinks=False)
        job = job_of({"command": command, "image": IMAGE, **{name.replace("_", "-"): v for name, v in inputs.items()}})
        return run_job(job, build.root, self.variables(ref) | (environ or {}), shell)


@pytest.fixture
def project(tmp_path: Path, sandbox: Sandbox, api: GitLabApi) -> Project:
    clone = a_clone(a_remote(tmp_path / "project.git"), tmp_path / "ada")
    (job_id,) = sandbox.create(1)
    checkout = Checkout(clone.root)
    checkout.name_provider()
    clone.commit("Begin")
    checkout.want("runaway", job_id)
    clone.commit("Stop the runaway")
    clone.push()
    clone.git("push", "--quiet", "origin", f"HEAD:{MERGE_REQUEST}")
    return Project(tmp_path, clone, sandbox, api, job_id)


def test_a_merge_request_gets_one_note_that_is_updated_after_main_was_reconciled(project: Project) -> None:
    project.api.add("<!-- reconcile specs --> a copy", SOMEBODY)
    planned, acted = project.run("plan", comment=True), project.run("act")
    again = project.run("plan", comment=True)
    notes = [each["body"] for each in project.api.notes if each["author"]["id"] != SOMEBODY]

    assert planned.code == 0, planned.log
    assert "Plan: 1 to cancel" in planned.log
    assert acted.code == 0, acted.log
    assert project.sandbox.cancels(project.job_id) == [project.job_id]
    assert project.clone.git("ls-remote", "origin", "refs/heads/reconcile-status")
    assert again.code == 0, again.log
    assert project.api.writes == ["POST", "PUT"]
    assert len(notes) == 1
    assert "### Plan: nothing to change" in notes[0]
    assert [token for token in (TOKEN, JOB_TOKEN) if token in planned.log + acted.log + again.log] == []


@pytest.fixture
def over_http(project: Project) -> Iterator[Project]:
    """Serve the repository over HTTP to the user and token of a CI job."""
    with git_backend(project.root, "gitlab-ci-token", JOB_TOKEN) as backend:
        yield replace(project, backend=backend)


def exposed(project: Project, *logs: str) -> list[str]:
    """Return where the job token can be read: in a command line, a log, or a file below the project's directory."""
    assert project.backend is not None
    secrets = [each.encode() for each in project.backend.secrets]
    files = [path for path in project.root.rglob("*") if path.is_file() and not path.is_symlink()]
    inside = [str(path) for path in files if any(each in path.read_bytes() for each in secrets)]
    said = [log for log in logs if any(each.decode() in log for each in secrets)]
    return [*project.backend.exposed, *inside, *said]


@pytest.mark.long
def test_statuses_are_pushed_over_http_with_the_token_of_the_job_which_nobody_else_sees(over_http: Project) -> None:
    acted, planned = over_http.run("act"), over_http.run("plan")

    assert acted.code == 0, acted.log
    assert planned.code == 0, planned.log
    assert "nothing to change" in planned.log.lower()
    assert over_http.sandbox.cancels(over_http.job_id) == [over_http.job_id]
    assert over_http.backend is not None
    assert over_http.backend.pushes >= 1
    assert over_http.clone.git("ls-remote", "origin", "refs/heads/reconcile-status")
    assert exposed(over_http, acted.log, planned.log) == []


@pytest.mark.long
def test_a_project_that_allows_no_push_with_the_token_of_a_job_is_told_what_to_do(over_http: Project) -> None:
    assert over_http.backend is not None
    over_http.backend.may_push = False
    acted = over_http.run("act", timeout="5s", wait="5s")

    assert acted.code != 0
    assert NO_PUSH in acted.log
    assert "Job token permissions > Allow Git push requests to the repository" in acted.log
    assert over_http.sandbox.cancels(over_http.job_id) == []
    assert exposed(over_http, acted.log) == []


@pytest.mark.long
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_each_job_leaves_its_reports_and_its_outputs(project: Project, shell: str) -> None:
    validated = project.run("validate", shell=shell)
    planned = project.run("plan", shell=shell, comment=True, detailed_exitcode=True)
    acted = project.run("act", shell=shell)
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))
    promised = {f"RECONCILE_RESULT_{name.replace('-', '_').upper()}" for name in action["outputs"]}

    assert [each.code for each in (validated, planned, acted)] == [0, 0, 0], planned.log
    assert planned.outputs["RECONCILE_RESULT_EXIT_CODE"] == "2"
    assert json.loads((planned.reports.parents[1] / planned.outputs["RECONCILE_RESULT_PLAN_FILE"]).read_text())
    assert promised - {*planned.outputs, *acted.outputs} == {
        "RECONCILE_RESULT_CACHE_HIT",
        "RECONCILE_RESULT_PLAN_DIGEST",
        "RECONCILE_RESULT_PLAN_JSON",
        "RECONCILE_RESULT_RESULT_JSON",
        "RECONCILE_RESULT_VERSION",
    }
    assert max(len(each.outputs) for each in (validated, planned, acted)) <= 20
    for each in (validated, planned, acted):
        assert json.loads(each.report("code-quality.json")) == []
        assert parseString(each.report("junit.xml")).getElementsByTagName("testsuite")  # noqa: S318 - our own


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a checkout to another user")
@pytest.mark.parametrize("depth", [0, 1, DEPTH])
def test_a_checkout_of_another_user_works_at_any_depth(project: Project, depth: int) -> None:
    ran = [project.run(each, depth=depth, owner=SOMEBODY_ELSE) for each in ("validate", "plan", "act")]

    assert [each.code for each in ran] == [0, 0, 0], [each.log for each in ran]
    assert project.sandbox.cancels(project.job_id) == [project.job_id]


@pytest.mark.long
@pytest.mark.parametrize(
    ("refusal", "headers", "warning"),
    [
        (HTTPStatus.FORBIDDEN, {}, "HTTP 403: the token in GITLAB_TOKEN needs the scope `api`"),
        (HTTPStatus.NOT_FOUND, {}, "HTTP 404: the token in GITLAB_TOKEN does not give access"),
        (HTTPStatus.TOO_MANY_REQUESTS, {"retry-after": "600"}, "HTTP 429: GitLab limits the rate"),
    ],
)
def test_a_plan_whose_note_is_refused_succeeds_with_a_warning(
    project: Project, refusal: HTTPStatus, headers: dict[str, str], warning: str
) -> None:
    project.api.refuses, project.api.refused = refusal, headers
    ran = project.run("plan", comment=True)

    assert ran.code == 0, ran.log
    assert f"warning: the comment on merge request !{NUMBER} could not be written: {warning}" in ran.log
    assert ran.outputs["RECONCILE_RESULT_CHANGES"] == "1"
    assert project.api.notes == []


@pytest.mark.long
def test_a_short_pause_that_gitlab_asks_for_is_waited_for(project: Project) -> None:
    project.api.refuses, project.api.refusals = HTTPStatus.TOO_MANY_REQUESTS, 2
    project.api.refused = {"retry-after": "1"}
    ran = project.run("plan", comment=True)

    assert ran.code == 0, ran.log
    assert project.api.writes == ["POST"]


@pytest.mark.long
def test_a_wrong_token_a_deleted_note_and_hundreds_of_notes_do_not_double_the_note(project: Project) -> None:
    for number in range(250):
        project.api.add(f"note {number}", SOMEBODY)
    first = project.run("plan", comment=True)
    wrong = project.run("plan", comment=True, environ={"GITLAB_TOKEN": JOB_TOKEN})
    project.api.remove(int(first.outputs["RECONCILE_RESULT_COMMENT_ID"]))
    again, last = project.run("plan", comment=True), project.run("plan", comment=True)

    assert "HTTP 401: GITLAB_TOKEN is not valid" in wrong.log
    assert project.api.writes == ["POST", "POST", "PUT"]
    assert len(project.api.notes) == 251
    assert again.outputs["RECONCILE_RESULT_COMMENT_ID"] == last.outputs["RECONCILE_RESULT_COMMENT_ID"]


@pytest.mark.long
def test_without_the_input_no_note_is_written(project: Project) -> None:
    ran = project.run("plan")

    assert (ran.code, project.api.notes) == (0, [])


@pytest.mark.long
def test_an_invalid_spec_fails_the_job_and_is_in_the_code_quality_report(project: Project) -> None:
    spec = project.clone.root / "specs" / "runaway.yaml"
    spec.write_text(spec.read_text(encoding="utf-8").replace("cancelled", "canceled"), encoding="utf-8")
    project.clone.commit("Misspell")
    project.clone.git("push", "--quiet", "origin", f"HEAD:{MERGE_REQUEST}")
    ran = project.run("validate")
    (found,) = json.loads(ran.report("code-quality.json"))

    assert ran.code == 65
    assert found["location"]["path"] == "specs/runaway.yaml"


@pytest.mark.long
@pytest.mark.parametrize("directory", ["team", "team/"])
def test_specs_in_another_directory_are_found_by_every_command(project: Project, directory: str) -> None:
    (project.clone.root / "team").mkdir()
    project.clone.git("mv", "specs", "team/jobs")
    odd = project.clone.root / "team" / "jobs" / "odd.yaml"
    odd.write_text("kind: FineTuningJob\n", encoding="utf-8")
    project.clone.commit("Move")
    project.clone.push()
    project.clone.git("push", "--quiet", "origin", f"HEAD:{MERGE_REQUEST}")
    for command in ("validate", "plan", "act"):
        ran = project.run(command, working_directory=directory, specs="jobs")
        found = json.loads(ran.report("code-quality.json"))

        assert ran.code == 65, ran.log
        assert {each["location"]["path"] for each in found} == {"team/jobs/odd.yaml"}
    assert project.sandbox.cancels(project.job_id) == [project.job_id]


@pytest.mark.long
def test_act_applies_only_a_plan_that_was_approved(project: Project) -> None:
    planned = project.run("plan")
    plan = project.root / "approved.json"
    plan.write_text(planned.report("plan.json"), encoding="utf-8")
    empty = project.root / "empty.json"
    empty.write_text(json.dumps({**json.loads(plan.read_text()), "changes": []}), encoding="utf-8")
    refused, acted = project.run("act", plan=str(empty)), project.run("act", plan=str(plan))

    assert refused.code == 3, refused.log
    assert acted.code == 0, acted.log
    assert project.sandbox.cancels(project.job_id) == [project.job_id]


def test_the_inputs_are_those_of_the_action() -> None:
    action = yaml.safe_load(ACTION.read_text(encoding="utf-8"))["inputs"]
    declared, _ = documents()
    own = {"image", "job-prefix", "stage"}

    assert set(declared) - own == set(action) - {"github-token", "cache-dir"}
    for name in set(declared) - own:
        assert str(declared[name].get("default", "")).lower() == action[name].get("default", ""), name


def test_every_input_is_passed_as_a_variable_that_is_not_expanded_and_never_as_code() -> None:
    _, body = documents()
    job = yaml.safe_load(body)["$[[ inputs.job-prefix ]]-$[[ inputs.command ]]"]
    passed = [value for name, value in job["variables"].items() if name.startswith("RECONCILE_INPUT_")]

    assert "$[[" not in "".join(job["script"])
    assert passed
    assert all(value["expand"] is False for value in passed)


@pytest.mark.parametrize("value", HOSTILE)
def test_gitlab_refuses_an_input_that_a_shell_would_interpret(value: str) -> None:
    declared, _ = documents()
    checked = {name for name, rules in declared.items() if "regex" in rules or "options" in rules}
    given = {"command": "plan", "image": IMAGE}
    accepted = []
    for name in checked:
        try:
            job_of(given | {name: value})
        except InputError:
            continue
        accepted.append(name)

    assert set(declared) - checked == {"stage", "detailed-exitcode", "comment"}
    assert value == "--help" or accepted == []


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """Return a directory with a program `reconcile` that only records its arguments."""
    program = tmp_path / "recorder" / "reconcile"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nprintf \'%s\\0\' "$@" > "$CI_PROJECT_DIR/../arguments"\n', encoding="utf-8")
    program.chmod(0o755)
    return program.parent


@pytest.mark.sampled(2)
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_the_script_passes_the_value_of_a_variable_on_and_does_not_interpret_it(
    tmp_path: Path, recorder: Path, shell: str, value: str
) -> None:
    clone = a_clone(a_remote(tmp_path / "project.git"), tmp_path / "ada")
    Checkout(clone.root).want("runaway", "ftjob-abc123")
    clone.commit("Begin")
    clone.push()
    build = checked_out(tmp_path / "project.git", tmp_path / "build" / "project", "refs/heads/main")
    remote = clone.git("remote", "get-url", "origin")
    variables = {
        "CI_COMMIT_BRANCH": "main",
        "CI_JOB_TOKEN": JOB_TOKEN,
        "CI_PROJECT_URL": remote.removesuffix(".git"),
        "CI_REPOSITORY_URL": remote,
        "CI_SERVER_URL": "https://gitlab.example",
        "PATH": f"{recorder}:{os.environ['PATH']}",
    }
    passed = {}
    for command in ("plan", "act"):
        job = job_of({"command": command, "image": IMAGE})
        for name in variables_of(job).keys() - {"RECONCILE_INPUT_COMMAND", "RECONCILE_REPORTS", "GIT_DEPTH"}:
            (tmp_path / "build" / "arguments").unlink(missing_ok=True)
            ran = run_job(job, build.root, {**variables, name: value}, shell)
            if ran.code == 0:
                told = (tmp_path / "build" / "arguments").read_text(encoding="utf-8").split("\0")
                passed[command, name] = any(value in each for each in told)
            assert [path for path in tmp_path.rglob("pwned") if ".git" not in path.parts] == []
            assert JOB_TOKEN not in ran.log

    assert passed["plan", "RECONCILE_INPUT_SPECS"]
    assert passed["plan", "RECONCILE_INPUT_SELECTOR"]
    assert passed["act", "RECONCILE_INPUT_WAIT"]
    assert passed["act", "RECONCILE_INPUT_COMMIT_STATUS"]


@pytest.mark.long
def test_a_link_in_the_checkout_does_not_lead_the_reports_out_of_it(project: Project) -> None:
    outside = project.root / "outside"
    outside.mkdir()
    (project.clone.root / "reconcile-reports").symlink_to(outside)
    project.clone.commit("Plant a link")
    project.clone.git("push", "--quiet", "origin", f"HEAD:{MERGE_REQUEST}")
    ran = project.run("plan")

    assert ran.code == 0, ran.log
    assert list(outside.iterdir()) == []
