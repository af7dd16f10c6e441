"""The objects of the kustomizations and of the Helm chart, rendered by the real tools."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.markdown_table import ROOT

DEPLOY = ROOT / ".github" / "deploy"
CHART = DEPLOY / "helm" / "reconcile"
HELM, KUBECTL = shutil.which("helm"), shutil.which("kubectl")
OF_HELM = {"helm.sh/chart", *(f"app.kubernetes.io/{name}" for name in ("instance", "version", "managed-by"))}
"""The labels that a chart adds, by convention."""
SETTINGS: dict[str, dict[str, Any]] = {
    "aws": {
        "serviceAccount": {"annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::111122223333:role/reconcile"}}
    },
    "azure": {
        "serviceAccount": {
            "annotations": {"azure.workload.identity/client-id": "00000000-0000-0000-0000-000000000000"}
        },
        "podLabels": {"azure.workload.identity/use": "true"},
    },
    "google": {
        "serviceAccount": {
            "annotations": {"iam.gke.io/gcp-service-account": "reconcile@example.iam.gserviceaccount.com"}
        },
        "networkPolicy": {
            "extraEgress": [
                {
                    "to": [{"ipBlock": {"cidr": "169.254.169.252/32"}}, {"ipBlock": {"cidr": "169.254.169.254/32"}}],
                    "ports": [{"protocol": "TCP", "port": 80}, {"protocol": "TCP", "port": 988}],
                }
            ]
        },
    },
    "monitoring": {"podMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}},
    "shards": {"shards": 3},
    "standby": {"standby": {"enabled": True}},
}
"""The values of the chart that stand for each component of kustomize."""

Objects = dict[tuple[str, str], dict[str, Any]]


def kustomized(tmp_path: Path, *components: str) -> Objects:
    """Return the objects of a kustomization with these components, by kind and name."""
    relative = os.path.relpath(DEPLOY, tmp_path)
    user = {"resources": [relative], "components": [f"{relative}/components/{each}" for each in components]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(user), encoding="utf-8")
    return _objects([str(KUBECTL), "kustomize", str(tmp_path)], tmp_path)


def rendered(tmp_path: Path, values: dict[str, Any]) -> Objects:
    """Return the objects of the chart with these values, without what only Helm adds."""
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values), encoding="utf-8")
    found = _objects([str(HELM), "template", "reconcile", str(CHART), "--values", str(path)], tmp_path)
    for each in found.values():
        for labels in _label_maps(each):
            for name in OF_HELM & labels.keys():
                del labels[name]
        if each["kind"] in {"Deployment", "StatefulSet"}:
            del each["spec"]["template"]["metadata"]["annotations"]["checksum/config"]
    return found


def _label_maps(node: Any) -> list[dict[str, Any]]:
    if isinstance(node, list):
        return [found for each in node for found in _label_maps(each)]
    if not isinstance(node, dict):
        return []
    own = [
        value for key, value in node.items() if key in {"labels", "matchLabels", "selector"} and isinstance(value, dict)
    ]
    return own + [found for each in node.values() for found in _label_maps(each)]


def _objects(command: list[str], home: Path) -> Objects:
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(done.stdout)}
