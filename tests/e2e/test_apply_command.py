"""`reconcile apply`: the plan, the question, and the changes that follow an approval."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.model.exit_code import ExitCode
from tests.support.cli import WORLD, Checkout
from tests.support.terminal import reconcile_on_a_terminal

COLUMNS = 100
QUESTION = "Request these changes? Only 'yes' is accepted:"
RUNNING = "{id: ftjob-a, life: [{phase: running}]}"


@pytest.fixture
def author(tmp_path: Path) -> Checkout:
    """Return a checkout whose only job is running, and should be cancelled."""
    checkout = Checkout(tmp_path)
    checkout.write("world.yaml", WORLD.format(jobs=RUNNING))
    checkout.want("costly", "ftjob-a", provider="world")
    return checkout


def apply(author: Checkout, typed: str) -> tuple[str, int]:
    """Run `reconcile apply` on a terminal where the author types this. Return the output and the exit code."""
    ran = reconcile_on_a_terminal(
        author, "apply", columns=COLUMNS, environ={"NO_COLOR": "1"}, is_stderr_shown=True, typed=typed
    )
    return ran.out, ran.code


def phase_of(author: Checkout) -> str | None:
    """Return the phase that the status of the job records, or None if there is no status."""
    return str(author.status("costly").phase) if author.status_dir.exists() else None


def test_an_author_who_answers_yes_gets_the_changes_of_the_plan(author: Checkout) -> None:
    output, code = apply(author, "yes\n")

    assert output.index("cancel costly: running -> cancelled") < output.index(QUESTION)
    assert output.index(QUESTION) < output.index("costly: cancel confirmed: cancelled")
    assert (code, phase_of(author)) == (ExitCode.OK, "cancelled")


@pytest.mark.parametrize("typed", ["no\n", "y\n", "YES\n", "\n"])
def test_any_other_answer_requests_nothing(author: Checkout, typed: str) -> None:
    output, code = apply(author, typed)

    assert "Not approved: no change was requested." in output
    assert (code, phase_of(author)) == (ExitCode.REFUSED, None)


def test_a_user_who_ends_the_input_instead_of_answering_requests_nothing(author: Checkout) -> None:
    _, code = apply(author, "\x04")

    assert (code, phase_of(author)) == (130, None)


def test_apply_does_not_ask_if_there_is_nothing_to_change(author: Checkout) -> None:
    author.want("costly", "ftjob-a", state="observed", provider="world")

    output, code = apply(author, "")

    assert "Nothing to change." in output
    assert QUESTION not in output
    assert code == ExitCode.OK


def test_without_a_terminal_apply_names_both_ways_to_approve(author: Checkout) -> None:
    ran = author.run("apply")

    assert ran.code == ExitCode.USAGE
    assert "--auto-approve" in ran.err
    assert "reconcile --once --plan FILE" in ran.err
    assert phase_of(author) is None


def test_with_auto_approve_no_terminal_is_needed(author: Checkout) -> None:
    ran = author.run("apply", "--auto-approve")

    assert "Requested: 1 cancel." in ran.out
    assert (ran.code, phase_of(author)) == (ExitCode.OK, "cancelled")


def test_changes_that_the_guard_refuses_are_shown_and_not_asked_about(author: Checkout) -> None:
    jobs = ", ".join(f"{{id: ftjob-{each}, life: [{{phase: running}}]}}" for each in "abcdefgh")
    author.write("world.yaml", WORLD.format(jobs=jobs))
    for each in "abcdefgh":
        author.want("costly" if each == "a" else f"costly-{each}", f"ftjob-{each}", provider="world")

    output, code = apply(author, "")

    assert "refused" in output
    assert QUESTION not in output
    assert (code, phase_of(author)) == (ExitCode.REFUSED, None)
