from __future__ import annotations

import json
import subprocess
import sys

import pytest

from reconciler import wiring
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.error_exit import report_failure
from reconciler.cli.progress_output import show_progress
from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.exit_code import ExitCode
from reconciler.model.report import Report
from tests.support.reports import OPEN, a_row, a_waiting_row, with_cancel

Captured = pytest.CaptureFixture[str]

REPORT = Report(
    rows=(with_cancel(a_waiting_row(), why="too dear"), a_row("chat")),
    diagnostics=(Diagnostic(file="specs/a.yaml", line=7, message="is wrong"),),
    exit_codes=frozenset({ExitCode.INVALID_DOCUMENT}),
)


def test_the_result_is_on_stdout_and_problems_are_on_stderr(capsys: Captured) -> None:
    code = ConsoleOutput().show_report(REPORT, "plan", "text")

    told = capsys.readouterr()
    assert code == 65
    assert told.out.endswith("Plan: 1 to cancel; 1 as desired.\n")
    assert told.err == "specs/a.yaml:7: is wrong\n"


def test_json_output_is_the_only_text_on_stdout(capsys: Captured) -> None:
    ConsoleOutput().show_report(REPORT, "plan", "json")

    told = capsys.readouterr()
    assert [json.loads(line)["type"] for line in told.out.splitlines()] == [
        "version",
        "planned_change",
        "diagnostic",
        "change_summary",
    ]
    assert told.err == "specs/a.yaml:7: is wrong\n"


def test_a_json_log_has_one_object_per_line(capsys: Captured) -> None:
    ConsoleOutput(is_json_log=True).show_report(REPORT, "plan", "text")

    line = json.loads(capsys.readouterr().err)
    assert (line["level"], line["code"], line["message"]) == ("error", "InvalidDocument", "specs/a.yaml:7: is wrong")


def test_without_a_terminal_progress_is_one_line_for_each_event(capsys: Captured) -> None:
    accepted = Report(rows=(with_cancel(a_waiting_row(receipts=(OPEN,)), progress=Progress.ACCEPTED), a_row("chat")))
    with show_progress(ConsoleOutput(), "looking") as shown:
        for report in (accepted, accepted):
            shown.on_report(report)

    assert capsys.readouterr().err == "support-triage: cancel accepted, not confirmed yet\n"


PRINTING = """\
import sys
from reconciler.cli.console import ConsoleOutput
from reconciler.cli.streams import close_streams, open_streams
open_streams()
ConsoleOutput().print_result({text})
close_streams()
sys.exit(5)
"""


def test_a_reader_that_closes_the_pipe_early_is_not_an_error() -> None:
    script = PRINTING.format(text="'x' * 200_000")
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()

    assert process.returncode == 5
    assert told == b""


def test_a_stream_that_cannot_show_a_character_shows_its_escape() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PRINTING.format(text=repr("caf\u00e9\n"))],
        capture_output=True,
        check=False,
        env={"PYTHONIOENCODING": "ascii"},
    )

    assert done.stdout == b"caf\\xe9\n"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (wiring.UsageError("specs is not a directory"), 64, "reconcile: specs is not a directory\n"),
        (wiring.BusyError("another reconcile is at work"), 75, "reconcile: another reconcile is at work\n"),
        (wiring.ConfigurationError("set OPENAI_API_KEY"), 78, "reconcile: set OPENAI_API_KEY\n"),
        (OSError(28, "No space left on device", "status/a.yaml"), 70, "reconcile: cannot read or write status/a.yaml"),
        (ValueError("odd \x1b[31m"), 70, "reconcile: a bug in llm-job-reconciler"),
    ],
)
def test_a_failure_prints_one_message_and_sets_the_exit_code(
    error: Exception, code: int, sentence: str, capsys: Captured
) -> None:
    ended = report_failure(error, is_verbose=False)

    told = capsys.readouterr().err
    assert ended == code
    assert told.startswith(sentence)
    assert len(told.splitlines()) == 1
    assert "\x1b" not in told


def test_only_a_verbose_run_shows_where_a_bug_is(capsys: Captured) -> None:
    report_failure(ValueError("odd"), is_verbose=True)

    told = capsys.readouterr().err
    assert told.splitlines()[0] == "ValueError: odd"
    assert "please report it with the lines above" in told.splitlines()[-1]
