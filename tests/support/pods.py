"""The pods of rendered manifests: what a kubelet would start for each replica."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.manifests import Objects

SETS = ("Deployment", "StatefulSet")


@dataclass(frozen=True, slots=True)
class Pod:
    """One replica: its name, its only container, and the variables of that container."""

    name: str
    spec: Mapping[str, Any]
    environ: Mapping[str, str]

    @property
    def container(self) -> Mapping[str, Any]:
        """The specification of the container."""
        (container,) = self.spec["containers"]
        assert isinstance(container, Mapping)
        return container

    @property
    def user(self) -> tuple[int, int]:
        """The user and the group of the process."""
        context = self.spec["securityContext"]
        return context["runAsUser"], context["runAsGroup"]

    @property
    def mounts(self) -> dict[str, str]:
        """The kind of volume at each path: `state` can be written, and `secret` cannot."""
        kinds = {each["name"]: "secret" if "secret" in each else "state" for each in self.spec["volumes"]}
        found = {}
        for each in self.container["volumeMounts"]:
            kind = kinds.get(each["name"], "state")
            assert each.get("readOnly", False) == (kind == "secret")
            found[each["mountPath"]] = kind
        return found

    @property
    def arguments(self) -> list[str]:
        """The arguments of the entry point. The entry point itself is that of the image."""
        assert "command" not in self.container
        return list(self.container.get("args", []))

    def path_of(self, probe: str) -> str:
        """Return the path of a probe, such as `readinessProbe`."""
        check = self.container[probe]["httpGet"]
        assert check["port"] == "http"
        return str(check["path"])


def pods_of(found: Objects) -> Iterator[Pod]:
    """Yield the pod of each replica."""
    ((kind, name),) = (key for key in found if key[0] in SETS)
    spec = found[kind, name]["spec"]
    template = spec["template"]
    first = spec.get("ordinals", {}).get("start", 0)
    for index in range(first, first + spec["replicas"]):
        labels = {**template["metadata"]["labels"], "apps.kubernetes.io/pod-index": str(index)}
        yield Pod(f"{name}-{index}", template["spec"], _environ(template["spec"], found, labels))


def _environ(spec: Mapping[str, Any], found: Objects, labels: Mapping[str, str]) -> dict[str, str]:
    (container,) = spec["containers"]
    environ: dict[str, str] = {}
    for source in container.get("envFrom", []):
        environ |= found["ConfigMap", source["configMapRef"]["name"]]["data"]
    for each in container.get("env", []):
        environ[each["name"]] = _value(each, labels, environ)
    return environ


def _value(each: Mapping[str, Any], labels: Mapping[str, str], before: Mapping[str, str]) -> str:
    """Return the value of a variable. `$(NAME)` stands for an earlier variable."""
    if "valueFrom" in each:
        path = each["valueFrom"]["fieldRef"]["fieldPath"]
        return labels[path.removeprefix("metadata.labels['").removesuffix("']")]
    value = str(each["value"])
    for name, text in before.items():
        value = value.replace(f"$({name})", text)
    return value
