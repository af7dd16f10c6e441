"""Texts below `specs/` that are expensive to process, given to the installed command; and the maximum cost of each."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import pytest

from tests.support.cli import ENDS_WITHIN_S, RECONCILE, Checkout
from tests.support.in_process_command import Workspace
from tests.support.text_costs import (
    HEAD,
    JOB,
    PER_BYTE,
    SHAPES,
    SIZES,
    TEXTS,
    TREES,
    Cost,
    costs,
    least,
    powers,
    table_row,
)

POWER_MAX = 1.1
"""The maximum power with which time and memory may grow. A power of 1 is linear, and 2 is quadratic."""
BUSY_POWER_MAX = 1.5
"""The maximum power for time in an ordinary run, in which other tests use the processor and its caches."""
TRIES = 4
"""The number of measurements. The smallest one counts, because a busy machine only makes a measurement larger."""
CONTAINER = 512 * 1024**2
"""The memory limit in the Kubernetes manifests."""
MEMORY_MAX = 8 * CONTAINER
"""The limit that protects the machine if a test fails."""
LARGEST = SIZES[-1]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("shape", SHAPES)
def test_time_and_memory_grow_at_most_linearly_with_the_size_of_a_text(
    shape: str, record_property: Callable[[str, object], None], pytestconfig: pytest.Config
) -> None:
    # Each size is twice the one before, so the largest takes as long as all others. Only a long run measures the two
    # largest.
    sizes, time_power_max = (4, POWER_MAX) if pytestconfig.getoption("--long") else (2, BUSY_POWER_MAX)
    found = costs(shape, sizes)
    for _ in range(TRIES - 1):
        time_power, memory_power = powers(found)
        if time_power > time_power_max or memory_power > POWER_MAX:
            found = least(found, costs(shape, sizes))
    record_property("time, memory", table_row(shape, found))
    time_power, memory_power = powers(found)

    assert time_power <= time_power_max, found
    assert memory_power <= POWER_MAX, found
    assert is_bounded(found), found


def is_bounded(found: list[Cost]) -> bool:
    """Return whether the memory for a text is at most a fixed multiple of its length."""
    return all(each.memory <= 16 * 1024**2 + PER_BYTE * 2 * each.size for each in found)


# --- texts of hostile authors ----------------------------------------------------------------------------------


ATTACKS: Mapping[str, str | Callable[[], str]] = {
    "bomb of aliases": "a0: &a0 lol\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 40)),
    "200,000 lists": "[" * 200_000 + "]" * 200_000,
    "5 MiB": "a" * 5 * 1024**2,
    "a scalar of 4 MiB": f"a: {'x' * LARGEST}",
    "a number of a million digits": HEAD.format(kind="Settings", name="s") + f"spec: {{interval: {'9' * 10**6}s}}\n",
    "an id of 4 MiB": JOB.format(kind="FineTuningJob", name="a", provider="openai", job="x" * LARGEST),
    "a name of 4 MiB": JOB.format(kind="FineTuningJob", name="x" * (LARGEST - 500), provider="openai", job="ftjob-a"),
    "a glob of a thousand stars": HEAD.format(kind="Provider", name="a")
    + f"spec: {{type: openai, allowedPaths: ['{'**/' * 1000}x']}}\n",
    **{name: partial(make, LARGEST) for name, make in TEXTS.items() if "long" not in name and "documents" not in name},
    **{name: partial(make, LARGEST) for name, make in TREES.items() if name.startswith(("spec", "the same"))},
}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("name", ATTACKS)
def test_a_hostile_text_is_reported_and_stays_within_the_memory_limit(tmp_path: Path, name: str) -> None:
    checkout = Checkout(tmp_path)
    found = ATTACKS[name]
    checkout.write("hostile.yaml", found if isinstance(found, str) else found())
    checkout.want("good", "ftjob-good", "observed", provider="openai")

    code, told, peak = bounded(checkout, "validate")

    assert code in {0, 65}, told
    assert "hostile.yaml" in told or code == 0
    assert "Traceback" not in told
    assert peak < CONTAINER


MISLEADING = {
    "a line separator": "\u2028",
    "a paragraph separator": "\u2029",
    "a next line": "\x85",
    "a carriage return": "\r",
    "letters from right to left": "\u202e",
    "an isolate": "\u2067",
}


@pytest.mark.parametrize("what", MISLEADING)
def test_a_spec_that_displays_differently_than_it_parses_is_rejected(tmp_path: Path, what: str) -> None:
    workspace = Workspace(tmp_path)
    workspace.declare("ftjob-a", "ftjob-b")
    shown = f"  # as agreed{MISLEADING[what]}  desiredState: cancelled #"
    workspace.write(
        "a.yaml", workspace.want("a", "observed").read_text().replace("  desiredState:", f"{shown}\n  # was:")
    )
    workspace.write("b.yaml", workspace.want("b", "cancelled").read_text().replace("\n", "\r\n"))
    ran = Checkout(tmp_path).run("--once", "--state-dir", str(tmp_path / "state"))

    assert ran.code == 65
    assert f"contains U+{ord(MISLEADING[what]):04X}, which can make text look different from what it says" in ran.err
    assert workspace.asked() == [("cancel", "ftjob-b")]


@pytest.mark.long
def test_a_message_does_not_list_each_of_a_thousand_broken_files(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    for number in range(1000):
        checkout.write(f"broken/{number}.yaml", f"kind: Provider\nmetadata: {{name: none{number}}}\nspec: [\n")
        checkout.want(f"a{number}", f"ftjob-{number}", provider=f"none{number}")

    code, told, peak = bounded(checkout, "get", "-o", "json")

    assert code == 0
    assert len(told) < 3 * 1024**2
    assert peak < CONTAINER


@pytest.mark.long
def test_a_thousand_hostile_statuses_stay_within_the_memory_limit(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path)
    checkout.want("good", "ftjob-good", "observed", provider="openai")
    checkout.write("status/nested.yaml", "# jobs.reconciler/v1\n" + TEXTS["items, 95 lists deep"](1024**2 - 100))
    for number in range(100):
        checkout.write(f"status/large-{number}.yaml", "# jobs.reconciler/v1\n" + "x" * 2 * 1024**2)
    for number in range(1000):
        checkout.write(f"status/forged-{number}.yaml", FORGED)

    code, told, peak = bounded(checkout, "get")

    assert code in {0, 65, 70}, told
    assert "Traceback" not in told
    assert peak < CONTAINER


FORGED = """\
# Generated by reconcile. Do not edit: the next pass overwrites it.
apiVersion: jobs.reconciler/v1
kind: FineTuningJob
metadata:
  name: good
status:
  history: []
digest: sha256:0
"""


MEASURED = """\
import os, resource, subprocess, sys
bytes_max, seconds_max, *command = sys.argv[1:]
process = subprocess.Popen(command, stdout=sys.stdout, stderr=sys.stdout)
for limit, most in ((resource.RLIMIT_AS, int(bytes_max)), (resource.RLIMIT_CPU, int(seconds_max))):
    resource.prlimit(process.pid, limit, (most, most))
code = process.wait()
print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
"""
"""A small process that starts the command, because a process's peak includes the memory of its parent."""


def bounded(checkout: Checkout, *arguments: str, **given: str) -> tuple[int, str, int]:
    """Run a command with limits on its memory and processor time. Return its exit code, output and peak memory."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(checkout.root), "XDG_CACHE_HOME": str(checkout.root / "cache")}
    bounds = (str(MEMORY_MAX), str(ENDS_WITHIN_S))
    log = checkout.root / "told"
    with log.open("wb") as output:
        ran = subprocess.run(
            [sys.executable, "-c", MEASURED, *bounds, *RECONCILE, *arguments],
            cwd=checkout.root,
            env=environ | given,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
            check=True,
        )
    code, peak = map(int, ran.stderr.split())
    return code, log.read_text(encoding="utf-8", errors="replace"), peak * 1024
