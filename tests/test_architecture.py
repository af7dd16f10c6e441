import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from radon.complexity import cc_visit_ast

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
LINES_MAX, SCREEN = 300, 60
COMPLEXITY_MAX = 12
CONTRACTS = "from importlinter.cli import lint_imports_command; lint_imports_command()"


@dataclass(frozen=True, slots=True)
class Module:
    """What the tests ask about a module of the product."""

    docstring: str | None
    lines: int
    long_functions: Sequence[str]
    complex_functions: Sequence[str]
    classes: Sequence[str]


@cache
def module(path: Path) -> Module:
    """Return what the tests ask about a module. It is parsed once."""
    text = path.read_text(encoding="utf-8")
    tree = ast.parse(text)
    nodes = [*ast.walk(tree)]
    functions = [each for each in nodes if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)]
    return Module(
        ast.get_docstring(tree),
        len(text.splitlines()),
        [each.name for each in functions if (each.end_lineno or 0) - each.lineno >= SCREEN],
        too_complex(tree),
        [each.name for each in nodes if isinstance(each, ast.ClassDef)],
    )


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
def test_a_module_has_a_docstring_and_at_most_300_lines_and_short_functions(path: Path) -> None:
    found = module(path)

    assert found.docstring
    assert found.lines <= LINES_MAX
    assert found.long_functions == []


def too_complex(tree: ast.Module) -> list[str]:
    """Return the functions whose cyclomatic complexity exceeds the maximum.

    As radon counts: one for the function, and one for each branch, loop, handler, assertion, comprehension, its
    conditions, and each `and` and `or`. The functions and lambdas inside a function count with it.
    """
    blocks = (each for each in cc_visit_ast(tree) if each.letter in {"F", "M"})
    return [f"{each.name} ({each.complexity})" for each in blocks if each.complexity > COMPLEXITY_MAX]


def test_no_function_is_too_complex() -> None:
    found = {str(path.relative_to(ROOT)): names for path in HOUSE if (names := module(path).complex_functions)}

    assert found == {}


def test_a_function_with_twelve_branches_is_too_complex() -> None:
    branches = [f"    if word == {number}: return" for number in range(COMPLEXITY_MAX)]

    assert too_complex(ast.parse("\n".join(["def function(word):", *branches[1:]]))) == []
    assert too_complex(ast.parse("\n".join(["def function(word):", *branches]))) == ["function (13)"]


def test_module_names_and_class_names_are_unique() -> None:
    modules = Counter(path.stem for path in HOUSE if not path.stem.startswith("__"))
    classes = Counter(name for path in HOUSE for name in module(path).classes)

    assert [name for name, count in (modules + classes).items() if count > 1] == []


def test_no_module_has_a_meaningless_name() -> None:
    names = {path.stem for path in HOUSE}

    assert not names & {"utils", "helpers", "common", "manager", "base", "misc"}


def test_the_code_contains_no_todo() -> None:
    mark = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]))
    found = [str(path) for path in (*HOUSE, *OUR_TESTS) if mark.search(path.read_text(encoding="utf-8"))]

    assert found == []


def test_no_test_mocks_the_network() -> None:
    named = re.compile("httpx|respx|mock")  # files without these words are not parsed, because that takes seconds
    found = [
        str(path)
        for path in OUR_TESTS
        if named.search(text := path.read_text(encoding="utf-8"))
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [each.name for each in node.names])
        if (name or "").split(".")[0] in {"httpx", "respx", "pytest_httpx", "mock"} or name == "unittest.mock"
    ]

    assert found == []


def test_the_top_level_contains_only_the_required_files() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a Git checkout: clone the repository to run this")

    assert {line.split("/")[0] for line in tracked.stdout.splitlines()} <= TOP_LEVEL
