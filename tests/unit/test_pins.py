"""The versions of packages: every place that names one agrees with the lock files."""

from __future__ import annotations

import re
from importlib.metadata import requires

import pytest
import yaml
from packaging.requirements import Requirement

from reconciler.local.installed_version import DISTRIBUTION
from tests.support.markdown_table import ROOT

LOCKS = ("requirements.txt", ".ci/build-requirements.txt", ".ci/uv-requirements.txt")
HOOKS = ROOT / ".pre-commit-hooks.yaml"
_PINNED = re.compile(r"^([\w.-]+)==([^\s;]+)", re.MULTILINE)


def pinned(lock: str) -> dict[str, str]:
    """Return the version of each package of a lock."""
    return dict(_PINNED.findall((ROOT / lock).read_text(encoding="utf-8")))


def needed(distribution: str, known: frozenset[str] = frozenset()) -> frozenset[str]:
    """Return the dependencies of a package on this platform, without extras, including indirect ones."""
    for requirement in map(Requirement, requires(distribution) or []):
        name = requirement.name.lower().replace("_", "-")
        if name not in known and (requirement.marker is None or requirement.marker.evaluate({"extra": ""})):
            known = needed(name, known | {name})
    return known


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_has_a_hash(lock: str) -> None:
    entries = re.split(r"\n(?=[\w.-]+==)", (ROOT / lock).read_text(encoding="utf-8"))

    assert [entry.splitlines()[0] for entry in entries[1:] if "--hash=sha256:" not in entry] == []
    assert pinned(lock)


def test_no_package_is_pinned_by_two_locks() -> None:
    every = [pinned(lock) for lock in LOCKS]

    assert sum(map(len, every)) == len({name for lock in every for name in lock})


def test_the_pre_commit_hook_pins_every_dependency_to_the_version_of_the_lock() -> None:
    (hook,) = yaml.safe_load(HOOKS.read_text(encoding="utf-8"))
    hooked = dict(each.split("==") for each in hook["additional_dependencies"])
    lock = pinned("requirements.txt")

    assert hooked == {name: lock[name] for name in hooked}
    assert needed(DISTRIBUTION) - hooked.keys() == set()
