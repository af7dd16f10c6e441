"""What a release publishes to, as directories of a test: PyPI, a registry of images, and the releases of a repository.

The workflow of a release runs unchanged, except that the jobs which need a container engine are empty. In place of the
programs and actions that it uses, there are small ones that do the same to these directories. PyPI accepts a file only
once, and a published release cannot be changed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.markdown_table import ROOT

WORKFLOW = ROOT / ".github" / "workflows" / "release.yml"
IMAGE, DIGEST = "ghcr.io/ada/jobs", f"sha256:{'1' * 64}"
OUTPUTS = {"name": IMAGE, "digest": DIGEST, "tags": f"{IMAGE}:0.1.0"}

PROGRAMS = {
    "docker": """
command, *rest = sys.argv[3:]
tag = world / "registry" / (rest[0] if command == "inspect" else rest[1]).replace("/", "_")
if command == "inspect" and not tag.exists():
    sys.exit(f"ERROR: {rest[0]}: not found")
if command == "inspect":
    print(tag.read_text())
else:
    tag.write_text(rest[2].partition("@")[2])
""",
    "cosign": """
(world / "signed").write_text(sys.argv[-1])
""",
    "gh": """
command, tag, *rest = sys.argv[2:]
release, state = world / "releases" / tag, world / "releases" / tag / "state"
if command == "create":
    release.mkdir()
    state.write_text("draft")
    (release / "notes.md").write_text(open(rest[rest.index("--notes-file") + 1]).read())
elif not release.exists():
    sys.exit("release not found")
elif command == "view":
    print(str(state.read_text() == "draft").lower())
elif state.read_text() != "draft":
    sys.exit("HTTP 422: the release is immutable")
elif command == "upload":
    for file in rest[1:]:
        shutil.copy(file, release)
else:
    state.write_text("published")
""",
    "pypi": """
if (world / "pypi-is-down").exists():
    sys.exit("503 Service Unavailable")
for file in pathlib.Path("dist").iterdir():
    there = world / "pypi" / file.name
    if there.exists() and sys.argv[1] != "true":
        sys.exit(f"400 File already exists: {file.name}")
    if not there.exists():
        shutil.copy(file, there)
""",
    "artifact": """
kind, name, path = sys.argv[1:]
kept, path = world / "artifacts" / name, pathlib.Path(path)
source, target = (path, kept) if kind == "upload" else (kept, path)
shutil.copytree(source, target, dirs_exist_ok=True)
""",
}
ACTIONS = {
    "actions/upload-artifact": 'artifact upload "${{ inputs.name }}" "${{ inputs.path }}"',
    "actions/download-artifact": 'artifact download "${{ inputs.name }}" "${{ inputs.path }}"',
    "pypa/gh-action-pypi-publish": 'pypi "${{ inputs.skip-existing }}"',
}
INPUTS = ("name", "path", "skip-existing")


@dataclass(frozen=True, slots=True)
class ReleaseWorld:
    """The places to which a release publishes."""

    root: Path

    def packages(self) -> list[str]:
        """Return the names of the files on PyPI."""
        return sorted(each.name for each in (self.root / "pypi").iterdir())

    def tags(self) -> dict[str, str]:
        """Return the digest of the image of each tag in the registry."""
        return {each.name.replace("_", "/"): each.read_text() for each in (self.root / "registry").iterdir()}

    def release(self, tag: str) -> dict[str, str]:
        """Return the text of each file of a release. The file `state` says whether it is a draft or published."""
        files = (self.root / "releases" / tag).iterdir()
        return {each.name: each.read_text(encoding="utf-8", errors="replace") for each in files}

    def set_pypi_down(self, *, is_down: bool) -> None:
        """Make PyPI refuse or accept every file."""
        down = self.root / "pypi-is-down"
        down.touch() if is_down else down.unlink()

    def tag(self, name: str, digest: str) -> None:
        """Give an image a tag in the registry."""
        (self.root / "registry" / name.replace("/", "_")).write_text(digest, encoding="utf-8")

    def programs(self) -> Path:
        """Return the directory of the programs, which a workflow needs on its PATH."""
        return self.root / "bin"


def a_release_world(root: Path) -> ReleaseWorld:
    """Return a world in which nothing is published."""
    for folder in ("pypi", "registry", "releases", "artifacts", "bin"):
        (root / folder).mkdir(parents=True)
    for name, text in PROGRAMS.items():
        path = root / "bin" / name
        path.write_text(
            f"#!{sys.executable}\nimport pathlib, shutil, sys\nworld = pathlib.Path({str(root)!r})\n{text}",
            encoding="utf-8",
        )
        path.chmod(0o755)
    return ReleaseWorld(root)


def local_actions(root: Path) -> list[str]:
    """Write a small action for each action that the workflow uses, for `act --local-repository`."""
    found = []
    uses = re.findall(r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40})", WORKFLOW.read_text(encoding="utf-8"))
    for repository, commit in sorted(set(uses)):
        folder = root / repository.replace("/", "+")
        folder.mkdir(parents=True)
        step = {"shell": "bash", "run": ACTIONS.get(repository, "true")}
        described = {
            "name": repository,
            "inputs": {name: {"default": ""} for name in INPUTS},
            "runs": {"using": "composite", "steps": [step]},
        }
        (folder / "action.yml").write_text(yaml.safe_dump(described), encoding="utf-8")
        found.append(f"{repository}@{commit}={folder}")
    return found


def workflow_here(*, keeps: frozenset[str]) -> str:
    """Return the workflow of a release with only these jobs, and an empty job in place of each other one."""
    workflow: dict[Any, Any] = yaml.safe_load(WORKFLOW.read_text(encoding="utf-8"))
    workflow["on"] = workflow.pop(True)  # which is how YAML 1.1 reads `on`
    workflow["jobs"] = {name: job if name in keeps else _empty(job) for name, job in workflow["jobs"].items()}
    return yaml.safe_dump(workflow, sort_keys=False)


def _empty(job: Mapping[str, Any]) -> dict[str, Any]:
    empty: dict[str, Any] = {"runs-on": "ubuntu-24.04", "steps": [{"run": "true"}]}
    outputs = {name: OUTPUTS[name] for name in job.get("outputs", {})}
    return {**empty, **({"needs": job["needs"]} if "needs" in job else {}), **({"outputs": outputs} if outputs else {})}
