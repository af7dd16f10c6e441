"""The Helm chart and the kustomizations, rendered by the real tools: see `.ci/lanes/deploy`.

Both make the objects of `kubernetes.yaml`. The schemas of Kubernetes check each kind that they know; the kinds of the
Prometheus Operator are not among them.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from reconciler.model.election import KubernetesAddress, parse_address
from reconciler.model.shard import Shard
from tests.support.manifests import CHART, DEPLOY, HELM, KUBECTL, SETTINGS, kustomized, rendered

OPERATOR_KINDS = {"PodMonitor", "PrometheusRule"}
IDENTITIES = ("aws", "azure", "google")

pytestmark = pytest.mark.skipif(
    HELM is None or KUBECTL is None, reason="no helm and kubectl: .ci/lanes/deploy installs both"
)


def test_the_base_is_the_single_file(tmp_path: Path) -> None:
    single = yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text(encoding="utf-8"))

    assert kustomized(tmp_path) == {(each["kind"], each["metadata"]["name"]): each for each in single}


@pytest.mark.parametrize("component", [None, *SETTINGS])
def test_the_chart_and_the_kustomization_make_the_same_objects(component: str | None, tmp_path: Path) -> None:
    values = SETTINGS[component] if component else {}

    assert rendered(tmp_path, values) == kustomized(tmp_path, *([component] if component else []))


def test_the_namespace_admits_only_restricted_pods_and_holds_every_object(tmp_path: Path) -> None:
    found = kustomized(tmp_path, "namespace")
    namespace = found.pop(("Namespace", "reconcile"))

    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"]["namespace"] for each in found.values()} == {"reconcile"}


@pytest.mark.parametrize(
    ("components", "kinds"),
    [
        ((*IDENTITIES, "monitoring", "namespace"), {"Deployment", "Namespace", "PersistentVolumeClaim"}),
        (("standby",), {"Role", "RoleBinding", "Service", "StatefulSet"}),
        (("shards",), {"Service", "StatefulSet"}),
    ],
)
def test_every_object_matches_the_kubernetes_schemas(
    tmp_path: Path, components: tuple[str, ...], kinds: set[str]
) -> None:
    kubernetes = pytest.importorskip("kubernetes_validate", reason="pip install kubernetes-validate")
    checked = {
        kind: kubernetes.validate(each, kubernetes.latest_version(), strict=True)
        for (kind, _), each in kustomized(tmp_path, *components).items()
        if kind not in OPERATOR_KINDS
    }

    assert checked.keys() == kinds | {"ConfigMap", "NetworkPolicy", "ServiceAccount"}


def test_helm_reports_no_problem_of_the_chart(tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    command = [str(HELM), "lint", "--strict", str(CHART)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    "values",
    [
        {"git": {"url": ""}},
        {"git": {"url": "https://x", "branch": "main"}},
        {"suspend": "yes"},
        {"image": {"digest": "1"}},
        {"shards": 0},
        {"standby": True},
    ],
)
def test_the_chart_refuses_wrong_values(values: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    command = [str(HELM), "template", "reconcile", str(CHART), "--values", str(tmp_path / "values.yaml")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)

    assert done.returncode != 0
    assert "schema" in done.stderr


def test_the_image_is_named_by_its_digest_if_there_is_one(tmp_path: Path) -> None:
    digest = f"sha256:{'0' * 64}"
    deployment = rendered(tmp_path, {"image": {"digest": digest}})["Deployment", "reconcile"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]

    assert container["image"] == f"ghcr.io/example/reconcile@{digest}"


@pytest.mark.parametrize("components", [("standby", *IDENTITIES), (*IDENTITIES, "standby")])
def test_the_identity_of_a_pod_does_not_depend_on_the_order_of_components(
    components: tuple[str, ...], tmp_path: Path
) -> None:
    pod = kustomized(tmp_path, *components)["StatefulSet", "reconcile"]["spec"]["template"]

    assert pod["metadata"]["labels"]["azure.workload.identity/use"] == "true"


def test_a_standby_may_use_its_lease_and_nothing_else(tmp_path: Path) -> None:
    found = rendered(tmp_path, {"standby": {"enabled": True}})
    pods = found["StatefulSet", "reconcile"]["spec"]
    (container,) = pods["template"]["spec"]["containers"]
    rights = [(rule["verbs"], rule.get("resourceNames")) for rule in found["Role", "reconcile"]["rules"]]

    assert pods["replicas"] == 2
    assert rights == [(["get", "update"], ["reconcile"]), (["create"], None)]
    assert {tuple(rule["resources"]) for rule in found["Role", "reconcile"]["rules"]} == {("leases",)}
    assert parse_address(found["ConfigMap", "reconcile"]["data"]["RECONCILE_LEADER_ELECT"]) == KubernetesAddress(
        "reconcile"
    )
    assert container["readinessProbe"]["httpGet"]["path"] == "/healthz"
    assert pods["template"]["spec"]["automountServiceAccountToken"] is True
    assert found["ServiceAccount", "reconcile"]["automountServiceAccountToken"] is False


def test_each_pod_of_a_set_of_shards_gets_its_own_share(tmp_path: Path) -> None:
    pods = rendered(tmp_path, {"shards": 4})["StatefulSet", "reconcile"]["spec"]
    (container,) = pods["template"]["spec"]["containers"]
    variables = {each["name"]: each.get("value") for each in container["env"]}
    indexes = range(pods["ordinals"]["start"], pods["ordinals"]["start"] + pods["replicas"])
    written = [
        variables["RECONCILE_SHARD"].replace("$(POD_INDEX)", str(index)).replace("$(SHARDS)", variables["SHARDS"])
        for index in indexes
    ]

    assert [Shard.parse(each) for each in written] == [Shard(index, 4) for index in (1, 2, 3, 4)]


def test_shards_with_standbys_need_a_release_each(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("{shards: 2, standby: {enabled: true}}", encoding="utf-8")
    command = [str(HELM), "template", "reconcile", str(CHART), "--values", str(tmp_path / "values.yaml")]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)

    assert done.returncode != 0
    assert "install one release for each shard with environment.RECONCILE_SHARD" in done.stderr
