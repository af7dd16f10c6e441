"""Random input: each command prints a message, no traceback, and cancels a job only as its spec requests.

The requests are read from the sandbox's memory and not from the output. `--long` tries 5,000 inputs of each kind.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.cli.group import VERBS
from reconciler.formats.spec_parser import read_documents
from reconciler.formats.status_writer import digest
from reconciler.formats.yaml_edit import Edit, YamlEditError, set_value
from tests.support.cli import SPEC, Ran
from tests.support.in_process_command import Workspace

T = TypeVar("T")
Fuzz = Callable[[str, st.SearchStrategy[T], Callable[[T], None]], None]

QUICK, LONG = 15, 5000
CODES = {0, 1, 2, 3, 64, 65, 69, 70, 75, 78}
SERVING = {"sandbox"}
"""Verbs that run until they are stopped."""
WAITING = {"wait"}
"""Slow verbs, which are tried separately."""
GOOD = SPEC.format(name="odd", provider="demo", job_id="ftjob-odd", state="running")

pieces = st.sampled_from(
    [
        "\t",
        "\r",
        "\x00",
        "\x1b[31m",
        "é",
        "🦀",
        "{",
        "}",
        "[",
        "*a",
        "&a ",
        "!!str ",
        "<<: *a",
        "---\n",
        "|",
        ">",
        "# ",
        ": ",
    ]
) | st.sampled_from(["null", "no", "cancelled", "spec:", "  ", "\n", '"', "'", "ftjob-odd", "jobId", "suspend: true"])


@st.composite
def spoiled(draw: st.DrawFn, text: str = GOOD) -> str:
    """Return a valid document into which pieces were inserted, or from which pieces were removed."""
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(pieces) + text[at + draw(st.integers(0, 6)) :]
    return text


verbs = st.sampled_from([*(verb for verb in VERBS if verb not in SERVING | WAITING), "--once", "--help"])
words = st.one_of(
    st.sampled_from([*VERBS, "--once", "--dry-run", "--selector", "--provider", "--specs", "-o", "json", "--", "-v"]),
    st.sampled_from(["chat", "cancelled", "--reason", "--until", "4h", "demo", "--live", "--timeout", "0s", "-"]),
    st.text(min_size=1, max_size=8),
)
lines = st.tuples(verbs, st.lists(words, max_size=4)).map(lambda line: (line[0], *line[1]))


def a_workspace(root: str) -> Workspace:
    workspace = Workspace(Path(root))
    workspace.declare("ftjob-chat", "ftjob-odd")
    workspace.want("chat", "running")
    return workspace


def assert_told(ran: Ran) -> None:
    """Check that the command printed a message and ended with a documented exit code."""
    assert ran.code in CODES
    assert "Traceback" not in ran.err
    assert "a bug in" not in ran.err


@pytest.fixture
def fuzz(pytestconfig: pytest.Config, record_property: Callable[[str, object], None]) -> Fuzz[object]:
    """Return a function that tries many values of a kind, and records their number."""
    most = LONG if pytestconfig.getoption("--long") else QUICK

    def run(what: str, values: st.SearchStrategy[object], check: Callable[[object], None]) -> None:
        executions = 0

        @settings(max_examples=most, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
        @given(values)
        def one(value: object) -> None:
            nonlocal executions
            executions += 1
            check(value)

        one()
        record_property(f"fuzz: {what}", f"{executions:,} executions, none crashed")

    return run


def test_a_file_of_arbitrary_bytes_is_read_or_reported(fuzz: Fuzz[bytes]) -> None:
    def check(data: bytes) -> None:
        read = read_documents(data, file="odd.yaml", shown="specs/odd.yaml")

        assert all(str(each).startswith("specs/odd.yaml") for each in read.diagnostics)
        assert all(str(each).isprintable() for each in read.diagnostics)

    fuzz("documents", st.binary(max_size=300) | spoiled().map(lambda text: text.encode(errors="replace")), check)


def test_a_corrupted_spec_never_cancels_a_job(fuzz: Fuzz[str]) -> None:
    def check(text: str) -> None:
        data = text.encode(errors="replace")
        with TemporaryDirectory() as root:
            workspace = a_workspace(root)
            workspace.write("odd.yaml", data)
            wanted = {
                ("cancel", each.document.spec.job_id)
                for each in read_documents(data, file="", shown="").jobs
                if each.document.spec.desired_state == "cancelled"
            }

            ran = workspace.run("--once", "--timeout", "0s")
            asked = set(workspace.asked())

        assert_told(ran)
        assert asked <= wanted

    fuzz("passes over spoiled specs, of which none cancelled what no spec wants cancelled", spoiled(), check)


def test_a_forged_status_never_cancels_a_job(fuzz: Fuzz[tuple[str, bool]], tmp_path: Path) -> None:
    """Each forged status has a matching digest, whatever else is wrong with it."""
    workspace = a_workspace(str(tmp_path))
    workspace.want("odd", "running")
    workspace.run("--once")
    status = workspace.specs / "status" / "odd.yaml"
    good = status.read_text()

    def check(case: tuple[str, bool]) -> None:
        text, is_signed = case
        body = text.rpartition("digest: ")[0]
        status.write_bytes((body + digest(body) if is_signed else text).encode(errors="replace"))

        assert_told(workspace.run("--once", "--timeout", "0s"))
        assert workspace.asked() == []

    cases = st.tuples(spoiled(good), st.booleans())
    fuzz("passes over forged statuses, of which none had anything asked", cases, check)


def test_an_arbitrary_command_line_ends_with_a_known_exit_code(fuzz: Fuzz[tuple[str, ...]]) -> None:
    def check(line: tuple[str, ...]) -> None:
        with TemporaryDirectory() as root:
            workspace = a_workspace(root)

            ran = workspace.run(*line)
            asked = workspace.asked()

        assert_told(ran)
        assert asked == []

    fuzz("command lines, of which none had anything cancelled", lines, check)


def test_a_spec_edit_makes_exactly_the_requested_change_or_is_rejected(fuzz: Fuzz[tuple[str, str]]) -> None:
    def check(case: tuple[str, str]) -> None:
        text, reason = case
        data = text.encode(errors="replace")
        before = read_documents(data, file="", shown="")
        try:
            after = read_documents(set_value(data, Edit("odd", ("reason",), reason)), file="", shown="")
        except YamlEditError:
            return

        assert [each.document.spec.reason for each in after.jobs if each.document.metadata.name == "odd"] in (
            [reason],
            [],
        )
        assert len(after.jobs) >= len(before.jobs)

    fuzz("edits", st.tuples(spoiled(), st.text(max_size=20)), check)


def test_the_sandbox_records_the_requests_it_received(tmp_path: Path) -> None:
    """Other tests of this module rely on these records."""
    workspace = a_workspace(str(tmp_path))
    workspace.want("odd", "cancelled")
    workspace.run("--once")

    assert workspace.asked() == [("cancel", "ftjob-odd")]


@pytest.mark.parametrize("verb", sorted(set(VERBS) - SERVING))
def test_every_command_without_arguments_ends_with_a_known_exit_code(verb: str, tmp_path: Path) -> None:
    assert_told(a_workspace(str(tmp_path)).run(verb))
