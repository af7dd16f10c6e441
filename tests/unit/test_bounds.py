"""Resource limits of a command: they also apply to its child processes, and do not raise a lower limit."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from reconciler.git.bounds import limit_resources

MOST = 1024**3
PARENT = "sleep 60 & echo $!; wait"

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can set the limits of a running process")


def files_at_most(process: int) -> int:
    line = next(line for line in Path(f"/proc/{process}/limits").read_text().splitlines() if "file size" in line)
    return int(line.split()[3])


def test_a_resource_limit_also_applies_to_child_processes() -> None:
    with subprocess.Popen(["sh", "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        limit_resources(parent.pid, {resource.RLIMIT_FSIZE: MOST})
        found = files_at_most(parent.pid), files_at_most(child)
        subprocess.run(["kill", str(child)], check=True)

    assert found == (MOST, MOST)


def test_a_lower_resource_limit_is_not_raised() -> None:
    command = ["sh", "-c", f"ulimit -f 1000; echo; {PARENT}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        child = int(parent.stdout.readline())
        before = files_at_most(parent.pid)
        limit_resources(parent.pid, {resource.RLIMIT_FSIZE: MOST})
        found = files_at_most(parent.pid), files_at_most(child)
        subprocess.run(["kill", str(child)], check=True)

    assert found == (before, before)


def test_limiting_a_process_that_has_ended_is_not_an_error() -> None:
    with subprocess.Popen(["true"]) as process:
        pass

    limit_resources(process.pid, {resource.RLIMIT_FSIZE: MOST})
