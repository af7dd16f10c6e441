"""The result of a run of the contract tests: a table of providers and tests, and the length of each adapter."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

PROVIDERS = Path(__file__).parent.parent.parent / "reconciler" / "providers"
_CONTRACT = re.compile(r"tests/contract/test_(\w+)\.py::Test(\w+)::test_(\w+)")
_COLUMN = 5


class Report(Protocol):
    """The parts of a test's report that are needed here."""

    nodeid: str


def contract_table(reports: Mapping[str, Iterable[Report]]) -> Iterator[str]:
    """Return the lines of the table; none where no test of the contract ran. `reports` are by outcome."""
    counts = {outcome: Counter(_places(found)) for outcome, found in reports.items()}
    passed, skipped, failed = (counts.get(each, Counter()) for each in ("passed", "skipped", "failed"))
    everything = passed + skipped + failed
    if not everything:
        return
    stages = sorted({stage for stage, _ in everything})
    yield "The contract: how many cases of each test each provider passed; F: failed, -: it cannot, and says so"
    for number, stage in enumerate(stages, start=1):
        yield f"{number:{_COLUMN}}  {stage}"
    yield "".join(f"{number:{_COLUMN}}" for number in range(1, len(stages) + 1))
    for test in sorted({test for _, test in everything}):
        cells = (_cell(passed[stage, test], failed[stage, test]) for stage in stages)
        yield f"{''.join(f'{cell:>{_COLUMN}}' for cell in cells)}  {test.replace('_', ' ')}"
    totals = (sum(count for (each, _), count in passed.items() if each == stage) for stage in stages)
    yield f"{''.join(f'{total:{_COLUMN}}' for total in totals)}  = {passed.total()} passed, {failed.total()} failed"
    yield f"Lines of each adapter: {', '.join(_lengths(is_shared=False))}"
    yield f"Lines of what they share: {', '.join(_lengths(is_shared=True))}"


def _places(reports: Iterable[Report]) -> Iterator[tuple[str, str]]:
    for report in reports:
        found = _CONTRACT.match(report.nodeid)
        if found:
            module, stage, test = found.groups()
            yield f"{module}, {stage}", test


def _cell(passed: int, failed: int) -> str:
    return "F" if failed else str(passed or "-")


def _lengths(*, is_shared: bool) -> Iterator[str]:
    for path in sorted(PROVIDERS.glob("*.py")):
        if path.name != "__init__.py" and path.name.startswith("_") is is_shared:
            yield f"{path.stem} {len(path.read_text(encoding='utf-8').splitlines())}"
