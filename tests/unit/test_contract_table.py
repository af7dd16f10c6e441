"""The table at the end of a run of the contract tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from reconciler.model.kind import BATCH, FINE_TUNING
from tests.support.contract_table import STAGE, contract_table


@dataclass
class Told:
    """A test's report."""

    nodeid: str
    user_properties: list[tuple[str, Any]] = field(default_factory=list)


def a_report(type_: str, kind: str) -> Told:
    return Told("tests/contract/test_x.py::TestX::test_a_job_can_be_listed[a]", [(STAGE, (type_, kind))])


def test_the_table_counts_the_cases_of_each_type_and_kind_and_the_lines_of_its_module() -> None:
    bedrock, batches = a_report("bedrock", FINE_TUNING.name), a_report("bedrock", BATCH.name)
    azure = a_report("azure-openai", BATCH.name)
    lines = list(contract_table({"passed": [bedrock, bedrock, azure], "failed": [batches, azure], "skipped": []}))
    rows = {line.split()[-1]: line.split() for line in lines}

    assert lines[0].startswith("The contract: passed cases by provider and test.")
    assert rows["type"] == ["FineTuningJob", "BatchJob", "lines", "type"]
    assert rows["bedrock"][:4] == ["2", "0", "+", "1"]
    assert rows["(azure_openai)"][:4] == ["-", "1", "+", "1"]
    assert int(rows["bedrock"][-2]) > 50


def test_a_run_without_the_contract_has_no_table() -> None:
    assert list(contract_table({"passed": [Told("tests/unit/test_x.py::test_y")]})) == []
