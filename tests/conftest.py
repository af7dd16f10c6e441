"""What a run tells at its end: the figures that tests put on record, such as how many cases a walk took."""

from __future__ import annotations

import pytest

from tests.support.contract_table import contract_table


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add what the simulator is asked by."""
    group = parser.getgroup("simulator")
    group.addoption("--seed", type=int, metavar="N", help="Play this one story, and tell all of it if it goes wrong.")
    group.addoption("--seeds", type=int, metavar="N", help="Play so many stories; 200 if left out.")
    group.addoption(
        "--long",
        action="store_true",
        help="Play 3,000 stories, kill at every effect of many runs, and fuzz 5,000 times a kind.",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every recorded property of the tests that passed, and the table of the contract."""
    told = [line for report in terminalreporter.getreports("passed") for line in getattr(report, "user_properties", [])]
    for name, value in told:
        terminalreporter.write_line(f"{name}: {value}")
    for line in contract_table(terminalreporter.stats):
        terminalreporter.write_line(line)
