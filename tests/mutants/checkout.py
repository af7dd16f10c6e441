"""A copy of the checkout in which mutmut writes and runs its mutants.

Rules: the checkout itself is never changed. Only unit tests that import the tested package are run. The code is
imported once for all mutants, so mutants of code that runs at import are not tested.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
MUTMUT = Path(sys.executable).with_name("mutmut")
CHILDREN = "2"
NOT_ASKED = frozenset(
    {
        "test_growth.py",  # it measures time, which mutmut distorts
        "test_guard_adversary.py",  # each of its tests takes seconds
    }
)
KEPT_BESIDE = ("specs", ".github", ".ci", "README.md", "LICENSE", "Dockerfile", "requirements.txt")
SETTINGS = """
[tool.mutmut]
source_paths = ["reconciler"]
only_mutate = {only}
also_copy = {beside}
process_isolation = "forkserver"
timeout_multiplier = 2.0
timeout_constant = 60.0
use_git_change_detection = false
track_dependencies = false
pytest_add_cli_args = ["-q", "-p", "no:xdist", "-p", "no:cacheprovider"]
pytest_add_cli_args_test_selection = {tests}
"""
_OUT_OF_TIME = (-24, 24, 36, 152, 255)
"""mutmut's exit codes for a mutant whose tests exceeded twice their usual time plus two minutes."""


class Fate(StrEnum):
    """The result of a mutant."""

    KILLED = "killed"
    ENDLESS = "timed out"
    SURVIVED = "survived"
    UNTESTED = "no test runs it"


@dataclass(frozen=True, slots=True)
class Survivor:
    """A mutant that no test detected: its name, and the lines that it removes and adds."""

    name: str
    fate: Fate
    was: tuple[str, ...]
    instead: tuple[str, ...]

    @property
    def function(self) -> str:
        """Return the qualified name of the changed function, such as `reconciler.core.settle.settle`."""
        module, _, function = self.name.partition("__mutmut_")[0].rpartition(".")
        return f"{module}.{function.removeprefix('x_').removeprefix('xǁ').replace('ǁ', '.')}"


@dataclass(frozen=True, slots=True)
class Copy:
    """A copy of the checkout at `root`, in which mutants of the modules are tested."""

    root: Path
    modules: tuple[Path, ...]

    @classmethod
    def of(cls, root: Path, names: Iterable[str]) -> Copy:
        """Copy the files that Git does not ignore to `root`, with mutmut's settings for these modules or packages."""
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
            cwd=ROOT,
            capture_output=True,
            check=True,
        )
        for name in filter(None, listed.stdout.decode().split("\0")):
            if (ROOT / name).is_file():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, root / name)
        modules = tuple(sorted({path.relative_to(root) for name in names for path in _modules(root, name)}))
        settings = SETTINGS.format(
            only=json.dumps([str(path) for path in modules]),
            beside=json.dumps([*KEPT_BESIDE, ".pre-commit-hooks.yaml"]),
            tests=json.dumps(_tests(root, {".".join(path.parts[:2]) for path in modules})),
        )
        with (root / "pyproject.toml").open("a", encoding="utf-8") as pyproject:
            pyproject.write(settings)
        return cls(root, modules)

    def mutants(self) -> list[str]:
        """Create all mutants of the modules, and return their names."""
        making = [sys.executable, "-m", "tests.mutants.making"]
        subprocess.run(making, cwd=self.root, stdout=subprocess.DEVNULL, check=True)
        return sorted(self._codes())

    def run(self, mutants: list[str]) -> dict[str, Fate]:
        """Test the mutants, and return the result of each. Raises `RuntimeError` if one was not tested."""
        subprocess.run(
            [MUTMUT, "run", "--max-children", CHILDREN, *mutants], cwd=self.root, stdout=sys.stderr, check=True
        )
        codes = self._codes()
        left_out = [name for name in mutants if codes.get(name) is None]
        if left_out:
            msg = f"{len(left_out)} mutants were not tested: {', '.join(left_out[:5])}"
            raise RuntimeError(msg)
        fates: dict[int | None, Fate] = {0: Fate.SURVIVED, 33: Fate.UNTESTED}
        fates |= dict.fromkeys(_OUT_OF_TIME, Fate.ENDLESS)
        return {name: fates.get(codes.get(name), Fate.KILLED) for name in mutants}

    def _codes(self) -> dict[str, int | None]:
        codes: dict[str, int | None] = {}
        for path in (self.root / "mutants").rglob("*.meta"):
            codes |= json.loads(path.read_text(encoding="utf-8"))["exit_code_by_key"]
        return codes

    def survivor(self, name: str, fate: Fate) -> Survivor:
        """Return a mutant that was not killed, with the lines that it changes."""
        shown = subprocess.run([MUTMUT, "show", name], cwd=self.root, capture_output=True, check=True)
        lines = shown.stdout.decode().splitlines()
        changed = [line for line in lines if re.match(r"[-+](?![-+]{2} )", line)]
        return Survivor(
            name,
            fate,
            tuple(line[1:].strip() for line in changed if line[0] == "-"),
            tuple(line[1:].strip() for line in changed if line[0] == "+"),
        )


def _modules(root: Path, name: str) -> list[Path]:
    place = root.joinpath(*name.split("."))
    if place.is_dir():
        return sorted(place.rglob("*.py"))
    if place.with_suffix(".py").is_file():
        return [place.with_suffix(".py")]
    msg = f"no module or package is named {name}"
    raise SystemExit(msg)


def _tests(root: Path, packages: set[str]) -> list[str]:
    imports = re.compile(
        "|".join(rf"^from {re.escape(each)}\b|^import {re.escape(each)}\b" for each in packages), re.MULTILINE
    )
    return [
        str(path.relative_to(root))
        for path in sorted((root / "tests" / "unit").glob("test_*.py"))
        if path.name not in NOT_ASKED and imports.search(path.read_text(encoding="utf-8"))
    ]
