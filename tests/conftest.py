"""Options of the tests, and the figures that a run prints at its end, such as the number of cases of a walk."""

from __future__ import annotations

import gc
import importlib
import os
import signal
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.cli import COLD
from tests.support.contract_table import STAGE, contract_table
from tests.support.ordinary_run import LEFT_OUT, is_ordinary, left_out

FIRST = (
    "test_watch_seeds.py",
    "test_seeds.py",
    "test_health.py",
    "test_tutorial.py",
    "test_action.py",
    "test_progress_output.py",
    "test_hostile_authors.py",
    "test_recipes.py",
    "test_second_opinion.py",
    "test_attacks_ci.py",
    "test_killed_git.py",
    "test_attacks_texts.py",
    "test_docs.py",
    "test_replicate.py",
    "test_long_watches.py",
    "test_fine_tuning_services.py",
    "test_attacks_guard.py",
    "test_batch_apis.py",
    "test_walk.py",
    "test_status_freshness.py",
    "test_attacks_identity.py",
    "test_attacks_messages.py",
    "test_attacks_bombs.py",
    "test_openai_batches.py",
    "test_terminal.py",
    "test_killed_publishing.py",
    "test_concurrent_runs.py",
    "test_broken_output.py",
    "test_attacks_answers.py",
    "test_unread_statuses.py",
    "test_publishing.py",
    "test_remote.py",
    "test_outages.py",
    "test_watch_loop.py",
    "test_file_watcher.py",
)
"""The slowest files, in the order in which they are started: files that wait beside files that compute.

They are started before the other files, so that no worker runs a slow file alone at the end.
"""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return the number of workers for `-n auto`: two for each processor, because many tests wait for a process."""
    return 2 * len(os.sched_getaffinity(0))


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Collect without searches for cycles, which would find nothing in a quarter of the time."""
    gc.disable()
    try:
        _import_share(session.config)
        return (yield)
    finally:
        gc.enable()


def _import_share(config: pytest.Config) -> None:
    """Import a worker's share of the test modules, before it collects all of them.

    In a new checkout, pytest rewrites and compiles each module when it is imported, and keeps the result. Without the
    shares, all workers would compile all modules, each of them at the same time as the others.
    """
    own = getattr(config, "workerinput", None)
    if own is not None and config.args_source is pytest.Config.ArgsSource.TESTPATHS:
        folder = Path(__file__).parent
        files = sorted(file for file in folder.rglob("test_*.py") if (file.parent / "__init__.py").exists())
        for file in files[int(own["workerid"].removeprefix("gw")) :: own["workercount"]]:
            with suppress(Exception, pytest.skip.Exception):  # the collection will report it
                importlib.import_module(".".join(file.relative_to(folder.parent).with_suffix("").parts))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out the tests that take a long time, unless the run is long, and move the slowest files to the start."""
    out = left_out(items) if is_ordinary(config) else []
    config.stash[LEFT_OUT] = out
    if out:
        config.hook.pytest_deselected(items=out)
        names = {each.nodeid for each in out}
        items[:] = [each for each in items if each.nodeid not in names]
    order = {name: number for number, name in enumerate(FIRST)}
    items.sort(key=lambda item: order.get(item.path.name, len(order)))


def pytest_collection_finish() -> None:
    """Leave the collected tests out of each later search for cycles, because they exist until the end."""
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--long` and the options of the simulator."""
    group = parser.getgroup("simulator")
    group.addoption("--seed", type=int, metavar="N", help="Run this seed alone, and print its history if it fails.")
    group.addoption(
        "--seeds", type=int, metavar="N", help="Run this many seeds. Default: those that detect planted bugs."
    )
    group.addoption("--watch", type=int, metavar="N", help="Run this watch alone, and print its history if it fails.")
    group.addoption("--watches", type=int, metavar="N", help="Run this many watches. Default: as of the seeds.")
    group.addoption(
        "--pauses",
        type=int,
        metavar="N",
        help="Run this seed with many pauses alone, and print its history if it fails.",
    )
    group.addoption(
        "--long",
        action="store_true",
        help="Run every test and every case: 1,000 seeds, 300 watches, a kill at every effect, 20,000 hostile trees.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Use the same 50 Hypothesis examples in every ordinary run, and 200 new examples in a long run.

    In an ordinary run, a failure is then caused by the change and not by a new example. No example has a deadline,
    because a busy machine is not a defect. A long run starts an interpreter for each command. The workers keep their
    bytecode even if this process does not, so that each module is compiled once and not by each worker.
    """
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if (
        signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    ):  # inherited from a shell that started this run in the background
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if getattr(config.option, "dist", "no") == "load":
        config.option.dist = "loadfile"  # a worker runs whole files, so that it makes the fixtures of a module once
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False  # it would start the files with few tests last
    if config.getoption("--long"):
        os.environ[COLD] = "1"
    settings.register_profile("ordinary", derandomize=True, deadline=None, max_examples=50)
    settings.register_profile("long", deadline=None, max_examples=200)
    settings.load_profile("long" if config.getoption("--long") else "ordinary")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print every recorded property of the tests that passed, and the table of the contract."""
    told = [line for report in terminalreporter.getreports("passed") for line in getattr(report, "user_properties", [])]
    for name, value in told:
        if name != STAGE:
            terminalreporter.write_line(f"{name}: {value}")
    for line in contract_table(terminalreporter.stats):
        terminalreporter.write_line(line)
