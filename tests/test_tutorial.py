"""The tutorial: its files are written, its commands are run in order, and their output is compared with the document.

A `yaml` block names its file in its first line. The commands of `console` blocks are run in the first terminal. That of
an `sh` block is run in the second one, whose log the next `text` block shows.
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.support.markdown_table import ROOT
from tests.support.processes import a_free_port
from tests.support.sandbox_client import wait_for
from tests.support.shown_commands import all_blocks, assert_shown, blocks, commands, environment, succeed
from tests.support.tables import README
from tests.support.terminal import shown_on_a_terminal

TUTORIAL = ROOT / ".github" / "TUTORIAL.md"
ADDRESS = "127.0.0.1:8080"
COLUMNS = 120
READY_WITHIN_S = 60

_CONTROL = re.compile(r"\x1b\[[\d;?]*[A-Za-z]|\r")
_LOG = re.compile(r"^\d{2}:\d{2}:\d{2} .*$", re.MULTILINE)
_QUOTED = re.compile(r"\*(\w[^*]+\.)\*")


@dataclass(frozen=True, slots=True)
class SecondTerminal:
    """A watch on a terminal, and the address of its page."""

    url: str
    pid: Path
    screen: Future[str]

    def page(self) -> str:
        """Return the page."""
        with urlopen(self.url) as answer:  # noqa: S310  an address of this machine
            return str(answer.read().decode())

    def is_ready(self) -> bool:
        """Return whether the watch has ended its first pass."""
        try:
            urlopen(f"{self.url}/readyz").close()  # noqa: S310  an address of this machine
        except URLError:
            return False
        return True

    def log(self) -> str:
        """Press Ctrl-C, and return the log that the terminal has shown."""
        os.kill(int(self.pid.read_text(encoding="utf-8")), signal.SIGINT)
        return "\n".join(_LOG.findall(_CONTROL.sub("\n", self.screen.result())))


@contextmanager
def second_terminal(
    command: str, directory: Path, address: str, environ: Mapping[str, str]
) -> Iterator[SecondTerminal]:
    """Run a watch on a terminal until `log` stops it. The body begins once its first pass has ended."""
    pid = directory.parent / "watch.pid"
    line = f"echo $$ > {pid}; exec {command.strip()}"
    with ThreadPoolExecutor() as pool:
        variables = {**environment(directory), **environ}
        screen = pool.submit(shown_on_a_terminal, line, directory, variables, COLUMNS, is_stderr_shown=True)
        terminal = SecondTerminal(f"http://{address}", pid, screen)
        wait_for(lambda: terminal.is_ready() or screen.done(), "the watch is ready", READY_WITHIN_S)
        yield terminal


@pytest.fixture
def jobs(tmp_path: Path) -> Path:
    """Return the directory that the second line of the installation creates. The first one has a test of its own."""
    clone = tmp_path / "clone"
    clone.mkdir()
    _, create = blocks(TUTORIAL, "sh")[0].splitlines()
    return Path(succeed(f"{create} && pwd", clone).strip())


def test_the_tutorial_installs_as_the_readme_does() -> None:
    install, _ = blocks(TUTORIAL, "sh")[0].splitlines()
    readme = blocks(README, "sh")[0].partition(" && .venv/bin/reconcile")[0]

    assert install == f'{readme} && export PATH="$PWD/.venv/bin:$PATH"'


def test_every_command_of_the_tutorial_prints_the_output_that_it_shows(jobs: Path) -> None:
    address = f"127.0.0.1:{a_free_port()}"
    first, last = _QUOTED.findall(TUTORIAL.read_text(encoding="utf-8"))
    environ = {"XDG_CACHE_HOME": f"{jobs.parent}/cache", "NO_COLOR": "1"}
    with ExitStack() as stack:
        terminal = None
        for language, block in all_blocks(TUTORIAL)[1:]:
            if language == "yaml":
                _write(jobs, block)
            elif language == "sh":
                command = block.replace(ADDRESS, address)
                terminal = stack.enter_context(second_terminal(command, jobs, address, environ))
                assert first in terminal.page()
            elif language == "text":
                assert terminal is not None
                assert last in terminal.page()
                assert_shown("the watch", block, terminal.log())
            else:
                _type(block, jobs, environ)

    assert terminal is not None


def _write(jobs: Path, block: str) -> None:
    path = jobs / block.partition("\n")[0].removeprefix("# ")
    path.parent.mkdir(exist_ok=True)
    path.write_text(block, encoding="utf-8")


def _type(block: str, jobs: Path, environ: Mapping[str, str]) -> None:
    """Run the commands of a `console` block, and compare what they print with the block."""
    for command, shown in commands(block):
        printed = succeed(command, jobs, is_merged=True, **environ)
        assert_shown(command, shown, printed)
