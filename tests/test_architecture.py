import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
HOUSE = sorted((ROOT / "reconciler").rglob("*.py"))
OUR_TESTS = sorted((ROOT / "tests").rglob("*.py"))
TOP_LEVEL = {
    ".ci",
    ".dockerignore",
    ".git-blame-ignore-revs",
    ".gitattributes",
    ".github",
    ".gitignore",
    ".pre-commit-hooks.yaml",
    "Dockerfile",
    "LICENSE",
    "README.md",
    "pyproject.toml",
    "reconciler",
    "requirements.txt",
    "specs",
    "tests",
}
CONTRACTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


def test_the_import_contracts_hold() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CONTRACTS, "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("path", HOUSE, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_opens_with_its_rules_and_stays_within_a_few_screens(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert ast.get_docstring(ast.parse(text))
    assert len(text.splitlines()) <= 400


def test_no_module_is_named_for_nothing() -> None:
    names = {path.stem for path in HOUSE}

    assert not names & {"utils", "helpers", "common", "manager", "base", "misc"}


def test_nothing_is_left_for_later() -> None:
    mark = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]))
    found = [str(path) for path in (*HOUSE, *OUR_TESTS) if mark.search(path.read_text(encoding="utf-8"))]

    assert found == []


def test_no_test_pretends_to_be_the_network() -> None:
    found = [
        str(path)
        for path in OUR_TESTS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
        if (name or "").split(".")[0] in {"httpx", "respx", "pytest_httpx", "mock"} or name == "unittest.mock"
    ]

    assert found == []


def test_the_top_level_holds_what_it_must_and_nothing_more() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a Git checkout: clone the repository to run this")

    assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= TOP_LEVEL
