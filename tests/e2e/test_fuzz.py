"""Whatever somebody types: a sentence and an exit code, never a traceback, and nothing cancelled that no spec wants so.

`FUZZ_EXAMPLES=5000 pytest tests/e2e/test_fuzz.py` goes on for much longer.
"""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reconciler.adapters.documents import read_documents
from reconciler.adapters.splice import Edit, SpliceRefused, splice
from reconciler.cli.group import VERBS
from tests.support.cli import SPEC
from tests.support.desk import Desk

CODES = {0, 1, 2, 3, 64, 65, 69, 70, 75, 78}
SERVING = {"sandbox"}
"""Verbs that go on until somebody ends them."""
WAITING = {"wait"}
"""Verbs that may take their time; they are tried alone."""
GOOD = SPEC.format(name="odd", provider="demo", job_id="ftjob-odd", state="running")

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))

quick = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])

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
def spoiled(draw: st.DrawFn) -> str:
    """Return a good document into which pieces were put, or out of which pieces were cut."""
    text = GOOD
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


def a_desk(root: str) -> Desk:
    desk = Desk(Path(root))
    desk.declare("ftjob-chat", "ftjob-odd")
    desk.want("chat", "running")
    return desk


@quick
@given(data=st.binary(max_size=300) | spoiled().map(lambda text: text.encode(errors="replace")))
def test_a_file_of_any_bytes_is_read_or_told_about(data: bytes) -> None:
    read = read_documents(data, file="odd.yaml", shown="specs/odd.yaml")

    assert all(str(each).startswith("specs/odd.yaml") for each in read.diagnostics)
    assert all(str(each).isprintable() for each in read.diagnostics)


@quick
@given(text=spoiled())
def test_a_spoiled_spec_never_cancels_a_job(text: str) -> None:
    with TemporaryDirectory() as root:
        desk = a_desk(root)
        desk.write("odd.yaml", text.encode(errors="replace"))
        wants = {
            each.document.spec.desired_state.value
            for each in read_documents(text.encode(errors="replace"), file="", shown="").jobs
        }

        ran = desk.run("--once", "--timeout", "0s")

    assert ran.code in CODES
    assert "Traceback" not in ran.err
    assert "a bug in" not in ran.err
    assert "cancelled" in wants or "Asked: 0 to cancel" in ran.out


@quick
@given(verb=verbs, rest=st.lists(words, max_size=4))
def test_a_command_line_of_any_words_ends_in_an_exit_code(verb: str, rest: list[str]) -> None:
    with TemporaryDirectory() as root:
        ran = a_desk(root).run(verb, *rest)

    assert ran.code in CODES
    assert "Traceback" not in ran.err
    assert "a bug in" not in ran.err
    assert "Asked: 1 to cancel" not in ran.out


@quick
@given(text=spoiled(), reason=st.text(max_size=20))
def test_an_edit_changes_what_it_says_or_is_refused(text: str, reason: str) -> None:
    data = text.encode(errors="replace")
    before = read_documents(data, file="", shown="")
    try:
        after = read_documents(splice(data, Edit("odd", ("reason",), reason)), file="", shown="")
    except SpliceRefused:
        return

    assert [each.document.spec.reason for each in after.jobs if each.document.metadata.name == "odd"] in ([reason], [])
    assert len(after.jobs) >= len(before.jobs)


@pytest.mark.parametrize("verb", sorted(set(VERBS) - SERVING))
def test_every_verb_alone_ends_in_an_exit_code(verb: str, tmp_path: Path) -> None:
    ran = a_desk(str(tmp_path)).run(verb)

    assert ran.code in CODES
    assert "a bug in" not in ran.err
