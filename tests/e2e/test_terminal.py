from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from tests.support.cli import Checkout
from tests.support.in_process_command import Workspace
from tests.support.terminal import reconcile_on_a_terminal, shown_on_a_terminal

CODE = re.compile(r"\x1b\[([\d;?]*)([A-Za-z])")
BASIC = {"", "0", "1", "2", *map(str, range(31, 37))}
"""Reset, bold, dim, and six colours that are readable on light and dark terminals."""
NOTHING_SET: Mapping[str, str] = MappingProxyType({})
LONG = "a reason with many words, such as people write when a job has cost them more than they like " * 2


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """Return specs of which one requests a cancel, one is suspended, one is invalid, and one job is unmanaged."""
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-stop", "ftjob-chat", "ftjob-hold", "ftjob-stranger")
    stop = workspace.want("stop", "cancelled")
    stop.write_text(stop.read_text() + f"  reason: {LONG}\n")
    workspace.want("chat", "running")
    hold = workspace.want("hold", "cancelled")
    hold.write_text(hold.read_text() + f"  suspend: {{reason: {LONG.replace(',', '')}}}\n")
    workspace.want("typo", "cancelled", "ftjob-nowhere")
    return workspace


def shown(workspace: Workspace, arguments: str, columns: int = 100, environ: Mapping[str, str] = NOTHING_SET) -> str:
    """Return what a terminal shows of a command; `arguments` may end in a pipe."""
    verb, *rest = arguments.split(" |")
    if not rest:
        words = (*verb.split(), "--state-dir", f"{workspace.root}/state")
        return reconcile_on_a_terminal(Checkout(workspace.root), *words, columns=columns, environ=environ).out
    command = " |".join([f"{sys.executable} -m reconciler {verb} --state-dir {workspace.root}/state", *rest])
    return shown_on_a_terminal(command, workspace.root, environ, columns)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("columns", [60, 80, 200])
@pytest.mark.parametrize("verb", ["plan", "--once", "describe stop --events", "providers", "drift"])
def test_no_line_is_wider_than_the_terminal(workspace: Workspace, verb: str, columns: int) -> None:
    lines = [CODE.sub("", line) for line in shown(workspace, verb, columns).splitlines()]

    assert len(lines) > 1
    assert [line for line in lines if len(line) > columns] == []


@pytest.mark.parametrize("columns", [80, 120])
def test_the_help_is_not_wider_than_the_terminal(workspace: Workspace, columns: int) -> None:
    assert max(map(len, shown(workspace, "--help", columns).splitlines())) <= columns


def test_only_the_basic_terminal_colours_are_used(workspace: Workspace) -> None:
    codes = {code for each in CODE.findall(shown(workspace, "plan")) for code in each[0].split(";") if each[1] == "m"}

    assert "31" in codes
    assert codes <= BASIC


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("arguments", "environ"),
    [
        ("plan --no-color", {}),
        ("plan", {"NO_COLOR": "1"}),
        ("plan", {"RECONCILE_NO_COLOR": "1"}),
        ("plan", {"TERM": "dumb"}),
        ("plan | cat", {}),
    ],
)
def test_colours_can_be_disabled(workspace: Workspace, arguments: str, environ: dict[str, str]) -> None:
    text = shown(workspace, arguments, environ=environ)

    assert "cancel stop: running -> cancelled" in text
    assert "\x1b" not in text


def test_without_colours_the_text_is_the_same(workspace: Workspace) -> None:
    assert CODE.sub("", shown(workspace, "plan")) == shown(workspace, "plan", environ={"NO_COLOR": "1"})


@pytest.mark.long
def test_a_live_table_is_redrawn_in_place(workspace: Workspace) -> None:
    reconcile, state = f"{sys.executable} -m reconciler", f"--state-dir {workspace.root}/state"
    act = f"(sleep 2; {reconcile} --once {state} >/dev/null 2>&1; sleep 2; kill $watch)"
    text = shown_on_a_terminal(f"{reconcile} get --watch {state} & watch=$!; {act}; wait", workspace.root, {}, 100)
    before, moved, after = text.partition("\x1b[1A")

    assert moved
    assert "OutOfDate" in before
    assert "CancelPending" not in before
    assert "CancelPending" in after


def test_a_list_longer_than_the_terminal_is_paged(workspace: Workspace) -> None:
    for number in range(60):
        workspace.want(f"many-{number}", "observed")
    pager = {"PAGER": "head -2"}

    assert len(shown(workspace, "get", environ=pager).splitlines()) == 2
    assert len(shown(workspace, "get stop", environ=pager).splitlines()) == 2
    assert len(shown(workspace, "get | cat", environ=pager).splitlines()) == 1 + 64


def test_in_a_pipe_each_job_is_one_line_of_any_length(workspace: Workspace) -> None:
    text = shown(workspace, "get -o wide | cat")

    assert len(text.splitlines()) == 1 + 4
