"""The result of a run of the contract tests: a table of providers and tests, and a table of types and kinds.

The second table also has the length of the module of each type, without the modules that types share.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol

from reconciler.model.kind import KINDS
from reconciler.providers import NAMES

PROVIDERS = Path(__file__).parent.parent.parent / "reconciler" / "providers"
_CONTRACT = re.compile(r"tests/contract/test_(\w+)\.py::Test(\w+)::test_(\w+)")
_COLUMN = 5
STAGE = "stage of the contract"
"""The property of a report that contains the provider type and the kind of job that the test is about."""


class Report(Protocol):
    """The attributes of pytest's report of a test that the tables are made from."""

    nodeid: str
    user_properties: list[tuple[str, Any]]


def contract_table(reports: Mapping[str, Iterable[Report]]) -> Iterator[str]:
    """Yield the lines of both tables, or none if no contract test ran. `reports` has the reports by outcome."""
    counts = {outcome: Counter(_places(found)) for outcome, found in reports.items()}
    passed, skipped, failed = (counts.get(each, Counter()) for each in ("passed", "skipped", "failed"))
    everything = passed + skipped + failed
    if not everything:
        return
    stages = sorted({stage for stage, _ in everything})
    yield "The contract: passed cases by provider and test. F: a case failed. -: skipped, because it is not supported"
    for number, stage in enumerate(stages, start=1):
        yield f"{number:{_COLUMN}}  {stage}"
    yield "".join(f"{number:{_COLUMN}}" for number in range(1, len(stages) + 1))
    for test in sorted({test for _, test in everything}):
        cells = (_cell(passed[stage, test], failed[stage, test]) for stage in stages)
        yield f"{''.join(f'{cell:>{_COLUMN}}' for cell in cells)}  {test.replace('_', ' ')}"
    totals = (sum(count for (each, _), count in passed.items() if each == stage) for stage in stages)
    yield f"{''.join(f'{total:{_COLUMN}}' for total in totals)}  = {passed.total()} passed, {failed.total()} failed"
    yield from _kinds_table(reports)
    yield f"Lines of the shared modules: {', '.join(_shared_lengths())}"


def _kinds_table(reports: Mapping[str, Iterable[Report]]) -> Iterator[str]:
    """Yield a table with the number of passed and failed cases of each type and kind, and the lines of its module."""
    passed, failed = (Counter(_stages(reports.get(outcome, ()))) for outcome in ("passed", "failed"))
    yield "The contract: passed cases by type and kind. -: none passed; the type has no such jobs, or no case ran"
    yield "".join(f"{each:>16}" for each in (*KINDS, "lines")) + "  type"
    for type_ in sorted({type_ for type_, _ in passed + failed}):
        cells = [_total(passed[type_, kind], failed[type_, kind]) for kind in KINDS]
        module = NAMES[type_].partition(":")[0].rpartition(".")[2]
        cells.append(f"{_length(PROVIDERS / f'{module}.py')}")
        yield "".join(f"{each:>16}" for each in cells) + f"  {type_}{f' ({module})' if module != type_ else ''}"


def _stages(reports: Iterable[Report]) -> Iterator[tuple[str, str]]:
    for report in reports:
        yield from (tuple(value) for name, value in getattr(report, "user_properties", ()) if name == STAGE)


def _total(passed: int, failed: int) -> str:
    return f"{passed} + {failed} F" if failed else str(passed or "-")


def _places(reports: Iterable[Report]) -> Iterator[tuple[str, str]]:
    for report in reports:
        found = _CONTRACT.match(report.nodeid)
        if found:
            module, stage, test = found.groups()
            yield f"{module}, {stage}", test


def _cell(passed: int, failed: int) -> str:
    return "F" if failed else str(passed or "-")


def _shared_lengths() -> Iterator[str]:
    for path in sorted(PROVIDERS.glob("_*.py")):
        if path.name != "__init__.py":
            yield f"{path.stem} {_length(path)}"


def _length(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())
