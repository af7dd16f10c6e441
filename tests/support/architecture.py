"""The parts of ARCHITECTURE.md that are generated from the code: layers, diagram of a pass, decision table."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from itertools import pairwise

from reconciler.core.conditions import Readiness
from reconciler.core.table import TABLE, Situation, TableRow
from reconciler.model.spec import DesiredState
from tests.support.markdown_table import ROOT, table

CONTROLLER = ROOT / "reconciler" / "controller"
_SAID = {Readiness.READY: "Ready", Readiness.RECONCILING: "Reconciling", Readiness.STALLED: "Stalled"}


def layers() -> str:
    """Return the layers of the import contract as a table, from top to bottom."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    found = next(each["layers"] for each in contracts if each["type"] == "layers")
    rows = [(", ".join(f"`{name.strip()}`" for name in layer.split("|")),) for layer in found]
    return table(("From top to bottom: a layer imports only layers below it",), *rows)


def decisions() -> str:
    """Return the decision table: the reason that is reported and the change that is requested in each situation."""
    wanted = tuple(DesiredState)
    rows = [(situation.value, *(_cell(TABLE[situation, state]) for state in wanted)) for situation in Situation]
    return table(("The job is", *(f"wanted `{state}`" for state in wanted)), *rows)


def _cell(row: TableRow) -> str:
    verb = f"**{row.verb}**, " if row.verb else ""
    return f"{verb}{_SAID[row.readiness]} `{row.reason}`"


def drawing() -> str:
    """Return a pass as a flowchart: the functions that `reconcile_once` and each account's worker call, in order."""
    steps = list(_calls("reconcile", "reconcile_once"))
    inner = list(_calls("account_worker", "run_account"))
    lines = ["```mermaid", "flowchart TB"]
    lines += [f'  {name}["{name}<br/><i>{module}</i>"]' for name, module in steps]
    lines += ["  subgraph account [for each account, by itself]", "    direction LR"]
    lines += [f'    {name}["{name}<br/><i>{module}</i>"]' for name, module in inner]
    lines += [f"    {before} --> {after}" for (before, _), (after, _) in pairwise(inner)]
    lines += ["  end"]
    lines += [f"  {before} --> {after}" for (before, _), (after, _) in pairwise(steps)]
    lines += ["  start_workers -.-> account", "```"]
    return "\n".join(lines)


def _calls(module: str, function: str) -> Iterator[tuple[str, str]]:
    """Yield the functions of the controller that a function calls, with their modules: each once, in source order."""
    tree = ast.parse((CONTROLLER / f"{module}.py").read_text(encoding="utf-8"))
    homes = dict(_homes(tree, module))
    body = next(each for each in ast.walk(tree) if isinstance(each, ast.AsyncFunctionDef) and each.name == function)
    calls = [each.func for each in ast.walk(body) if isinstance(each, ast.Call) and isinstance(each.func, ast.Name)]
    named = sorted(calls, key=lambda each: (each.lineno, each.col_offset))
    told = {each.id: homes[each.id] for each in named if each.id in homes and each.id[0].islower()}
    yield from told.items()


def _homes(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    """Yield the public functions of a controller module, and its imports from such modules, with their modules."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("reconciler.controller."):
            for alias in node.names:
                yield alias.name, f"{(node.module or '').rpartition('.')[2]}.py"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node.name, f"{module}.py"
