"""Attacks on the reader of a terminal, of a GitHub Actions log, or of a step's outputs: text is shown as plain text.

Each attack is a spec, a file name or a forged status that its author prepared. `RECONCILE_COMMAND` runs the same
attacks on another build.
"""

from __future__ import annotations

import hashlib
import json
import os
import pty
import re
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.cli import RECONCILE, SPEC, Checkout
from tests.support.sandbox_client import Sandbox, wait_for

TEXTS = {
    "clears the screen": "\x1b[2J\x1b[Hall is well",
    "sets the title": "\x1b]0;pwned\x07",
    "goes back": "refused\x08\x08\x08\x08\x08\x08\x08granted",
    "returns": "bad\rgood",
    "runs on": "x\nready: all jobs are stopped",
    "turns round": "\u202edellecnac\u202c",
    "hides": "a\u200bb\u2066c",
    "is of one byte": "\x9b2J",
    "commands a workflow": "\n::error::pwned\n::set-output name=x::y\n::stop-commands::z",
    "commands an older one": "\n##[error]pwned\n##[add-mask]x",
    "ends a group": "%0A::endgroup::%0A::warning::pwned",
    "ends what is handed on": "\nEOF\nchanges=0\nghadelimiter_0\nplan-file=/etc/passwd",
}
"""Hostile texts, by the effect that they have on a reader that does not treat them as text."""
VERBS = (
    ("plan",),
    ("plan", "-o", "json"),
    ("validate",),
    ("drift",),
    ("get",),
    ("get", "-o", "wide"),
    ("get", "-o", "yaml"),
    ("describe", "job-0"),
    ("events",),
    ("diff", "job-0"),
    ("--once", "-v"),
    ("--once", "--log-format", "json"),
)


SMUGGLED = ("::error::pwned", "::warning::pwned", "::set-output", "::stop-commands", "::endgroup", "##[")
"""Beginnings of lines that appear only if an author's text is read as a command."""


def hostile(checkout: Checkout, job_ids: list[str]) -> None:
    """Write each text to every place that an author of specs can write to."""
    for number, (text, job_id) in enumerate(zip(TEXTS.values(), job_ids, strict=True)):
        quoted, file = json.dumps(text), text.replace("/", "_")
        broken = f"apiVersion: {quoted}\nkind: {quoted}\nmetadata: {{name: {quoted}}}\n{quoted}: 1\n"
        checkout.write(f"broken-{number}.yaml", broken)
        checkout.write(f"odd-{number}.yaml", SPEC.format(name=quoted, provider=quoted, job_id=quoted, state=quoted))
        spec = SPEC.format(name=f"job-{number}", provider="main", job_id=job_id, state="observed")
        checkout.write(f"job-{number}.yaml", f"{spec}  reason: {quoted}\n  suspend: {{reason: {quoted}}}\n")
        checkout.write(f"{file}.yaml", "x")
        checkout.write(f"status/{file}.yaml", "# jobs.reconciler/v1\nx: [")


def assert_is_text(said: str) -> None:
    """Check that the output has no control characters, and no workflow commands other than reconcile's own."""
    assert [each for each in said if not each.isprintable() and each != "\n"] == []
    assert [line for line in said.splitlines() if line.startswith(SMUGGLED)] == []


@pytest.mark.sampled(3)
@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_author_text_cannot_send_control_sequences_to_a_terminal(
    checkout: Checkout, sandbox: Sandbox, verb: tuple[str, ...]
) -> None:
    hostile(checkout, sandbox.create(len(TEXTS)))
    ran = checkout.run(*verb)

    assert_is_text(ran.out + ran.err)
    assert ran.code in {0, 3, 65}


@pytest.mark.sampled(1)
@pytest.mark.parametrize("verb", [("plan",), ("validate",), ("--once",)], ids=" ".join)
def test_author_text_cannot_issue_workflow_commands_or_set_outputs(
    checkout: Checkout, sandbox: Sandbox, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    hostile(checkout, sandbox.create(len(TEXTS)))
    output = tmp_path / "output"
    output.touch()
    runner = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_OUTPUT": str(output),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "RUNNER_TEMP": str(tmp_path),
    }
    ran = checkout.run(*verb, **runner)

    assert_is_text(ran.out + ran.err)
    assert {"changes=0", "plan-file=/etc/passwd"}.isdisjoint(output.read_text(encoding="utf-8").splitlines())


SHOWN = [("get",), ("get", "-o", "wide"), ("get", "-o", "json"), ("get", "-o", "yaml"), ("describe",)]


@pytest.mark.sampled(2)
@pytest.mark.parametrize("verb", SHOWN, ids=" ".join)
def test_a_forged_status_cannot_send_control_sequences_to_a_terminal(
    checkout: Checkout, sandbox: Sandbox, verb: tuple[str, ...]
) -> None:
    names = [f"job-{number}" for number in range(len(TEXTS))]
    for name, job_id in zip(names, sandbox.create(len(names)), strict=True):
        checkout.want(name, job_id, "observed")
    assert checkout.run("--once").code == 0
    for name, text in zip(names, TEXTS.values(), strict=True):
        status = checkout.status_dir / f"{name}.yaml"
        body = status.read_text(encoding="utf-8").rpartition("digest: ")[0]
        forged = re.sub(r"(?m)^( *message: ).*$", lambda found, text=text: found[1] + json.dumps(text), body)  # type: ignore[misc]
        assert forged != body
        digest = hashlib.sha256(forged.encode()).hexdigest()
        status.write_text(f"{forged}digest: sha256:{digest}\n", encoding="utf-8")
    ran = checkout.run(*verb, *(names[-1:] if verb == ("describe",) else []))

    assert_is_text(ran.out + ran.err)


def test_a_file_name_cannot_send_control_sequences_to_the_watchs_terminal(checkout: Checkout, sandbox: Sandbox) -> None:
    (job_id,) = sandbox.create(1)
    checkout.want("runaway", job_id)
    for name in ("\x1b[2J.yaml", "\x1b]0;pwned\x07.yaml", "x\r\n::error::pwned.yaml"):
        checkout.write(f"status/{name}", "# jobs.reconciler/v1\nx: [")
    ours, theirs = pty.openpty()
    environ = {"PATH": os.environ["PATH"], "HOME": str(checkout.root), **checkout.environ, "TERM": "xterm"}
    with subprocess.Popen(
        [*RECONCILE, "--state-dir", str(checkout.root / "state")],
        cwd=checkout.root,
        env=environ,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as watch:
        os.close(theirs)
        os.set_blocking(ours, False)
        shown = b""

        def is_done() -> bool:
            nonlocal shown
            with suppress(BlockingIOError):
                shown += os.read(ours, 65_536)
            return bool(sandbox.cancels(job_id)) and b"StatusDiscarded" in shown

        wait_for(is_done, "the watch reports the status that it discards", within_s=30)
        watch.terminate()
        watch.wait(timeout=30)
    os.close(ours)

    assert b"\x1b[2J" not in shown
    assert b"pwned\x07" not in shown
    assert b"\n::error" not in shown
