"""The documents that the user writes, the mistakes in them, and their layout in a file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import yaml

from tests.second_opinion.clock import utc

API = "jobs.reconciler/v1"
STATES = ("running", "paused", "cancelled", "observed")

JOB_DEFECTS = ("state", "field", "missing", "limit", "version", "id", "kind", "label", "type")
PROVIDER_DEFECTS = ("type", "field", "rate", "url")
SETTINGS_DEFECTS = ("interval", "field", "safety")


@dataclass(frozen=True)
class JobDoc:
    """A FineTuningJob document; `defect` names the mistake in it."""

    name: str
    provider: str
    job: str
    desired: str
    reason: str | None = None
    limits: tuple[tuple[str, str], ...] = ()
    suspended: bool = False
    until: float | None = None
    labels: tuple[tuple[str, str], ...] = ()
    defect: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return the content of the document, before it is formatted as YAML."""
        spec: dict[str, Any] = {"provider": self.provider, "jobId": self.job, "desiredState": self.desired}
        if self.reason is not None:
            spec["reason"] = self.reason
        if self.limits:
            spec["limits"] = dict(self.limits)
        if self.suspended:
            spec["suspend"] = {"reason": "a test", "until": utc(self.until)} if self.until is not None else True
        metadata: dict[str, Any] = {"name": self.name}
        if self.labels:
            metadata["labels"] = dict(self.labels)
        document = {"apiVersion": API, "kind": "FineTuningJob", "metadata": metadata, "spec": spec}
        _break_job(document, self.defect)
        return document


def _break_job(document: dict[str, Any], defect: str | None) -> None:
    spec = document["spec"]
    match defect:
        case "state":
            spec["desiredState"] = "stopped"
        case "field":
            spec["desired_state"] = "cancelled"
        case "missing":
            del spec["jobId"]
        case "limit":
            spec["limits"] = {"maxAge": "soon"}
        case "version":
            document["apiVersion"] = "jobs.reconciler/v9"
        case "id":
            spec["jobId"] = "../" + str(spec["jobId"])
        case "kind":
            document["kind"] = "FinetuningJob"
        case "label":
            document["metadata"]["labels"] = ["team"]
        case "type":
            spec["desiredState"] = ["cancelled"]


@dataclass(frozen=True)
class ProviderDoc:
    """A Provider document for one account of the world. `secret` is the value of its variable and not in the file."""

    name: str
    account: str
    variable: str
    secret: str
    url: str
    project: str | None = None
    paths: tuple[str, ...] = ()
    concurrency: int = 4
    burst: int = 500
    type: str = "openai"
    defect: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return the content of the document, before it is formatted as YAML."""
        spec: dict[str, Any] = {
            "type": self.type,
            "baseUrl": self.url,
            "credentials": {"env": self.variable},
            "rateLimit": {"requestsPerSecond": 500, "burst": self.burst, "concurrency": self.concurrency},
        }
        if self.project is not None:
            spec["options"] = {"project": self.project}
        if self.type == "bedrock":
            spec["options"] = {"region": "us-east-1"}
        if self.paths:
            spec["allowedPaths"] = list(self.paths)
        match self.defect:
            case "type":
                spec["type"] = "opnai"
            case "field":
                spec["timeout"] = 3
            case "rate":
                spec["rateLimit"] = {"concurrency": 0}
            case "url":
                spec["baseUrl"] = "no url"
        return {"apiVersion": API, "kind": "Provider", "metadata": {"name": self.name}, "spec": spec}


@dataclass(frozen=True)
class SettingsDoc:
    """A Settings document; `defect` names the mistake in it."""

    suspended: bool = False
    interval: str | None = None
    safety: tuple[tuple[str, int], ...] = ()
    defect: str | None = None

    def payload(self) -> dict[str, Any]:
        """Return the content of the document, before it is formatted as YAML."""
        spec: dict[str, Any] = {}
        if self.suspended:
            spec["suspend"] = True
        if self.interval is not None:
            spec["interval"] = self.interval
        if self.safety:
            spec["safety"] = dict(self.safety)
        match self.defect:
            case "interval":
                spec["interval"] = "often"
            case "field":
                spec["suspended"] = True
            case "safety":
                spec["safety"] = {"maxCancels": -1}
        return {"apiVersion": API, "kind": "Settings", "metadata": {"name": "settings"}, "spec": spec}


Doc = JobDoc | ProviderDoc | SettingsDoc


@dataclass(frozen=True)
class SpecFile:
    """A file with documents. `broken` means that it is not valid YAML. `style` is its layout."""

    docs: tuple[Doc, ...]
    style: str = "block"
    broken: bool = False

    def text(self) -> str:
        """Return the content of the file."""
        parts = [_laid_out(doc.payload(), self.style) for doc in self.docs]
        text = ("# written by a user\n" if self.style == "commented" else "") + "---\n".join(parts)
        return "spec: {unclosed: [\n" + text if self.broken else text

    def with_doc(self, old: Doc, new: Doc | None) -> SpecFile:
        """Return the file with one document replaced or removed."""
        docs = tuple(new if doc is old else doc for doc in self.docs)
        return replace(self, docs=tuple(doc for doc in docs if doc is not None))


def _laid_out(payload: dict[str, Any], style: str) -> str:
    if style == "flow":
        return json.dumps(payload) + "\n"
    if style == "commented":
        lines = yaml.safe_dump(payload, sort_keys=False).splitlines()
        return (
            "\n".join(f"{line}  # {index}" if line.endswith(":") else line for index, line in enumerate(lines)) + "\n"
        )
    return yaml.safe_dump(payload, sort_keys=True)
