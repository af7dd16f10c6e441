from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.action import Progress
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.money import Unpriced
from reconciler.model.price import Meter, Price
from reconciler.model.report import Report
from reconciler.views.markdown import ROWS_MAX, escaped
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.plan_text import SHADOW_TEXT
from reconciler.views.render_context import COMMENT_MAX, RenderContext, SourcePlace
from reconciler.views.repository_links import RepositoryLinks
from reconciler.views.text import clean
from tests.support.references import BREAK, REFERENCES
from tests.support.reports import CONTEXT, a_refusal, a_row, a_stalled_row, a_waiting_row, with_cancel

COMMIT = "0123456" + "a" * 33
LINKS = RepositoryLinks(
    base="https://git.example/acme/infra", commit=COMMIT, head=None, run="run 88", run_url="https://git.example/runs/5"
)


def in_ci(links: RepositoryLinks) -> RenderContext:
    """Return the context of a CI run in a subdirectory `top` of the repository."""
    return replace(
        CONTEXT, find_links=lambda: links, find_source=lambda file, _line: SourcePlace(f"top/{file}"), specs="specs"
    )


parts = st.sampled_from(
    (
        *("#1", "acme/web#7", "GH-3", "gh-3", "GHSA-abcd-efgh-ijkm", "@ada", "@acme/web", "ada@0123abc", "TICKET-412"),
        *(
            "0123456789abcdef0123456789abcdef01234567",
            "deadbeef",
            "DEADBEEF",
            "1234567",
            "a@x.example",
            ":tada:",
            ":+1:",
        ),
        *("https://github.com/acme/web/issues/1", "www.x.example", "$x$", "::", "@@", "##", "-", " ", "\\", "<!-- -->"),
    )
)


def test_with_prices_a_plan_shows_what_each_change_costs_and_says_what_is_unknown() -> None:
    price = Price("openai", "FineTuningJob", "*", Meter.HOUR, Decimal("3.00"), "USD")
    dear, unpriced = (with_cancel(a_waiting_row(name)) for name in ("dear", "unpriced"))
    rows = (replace(dear, price=price), replace(unpriced, price=Unpriced("no price for gpt-5")))
    text = plan_markdown(Report(rows=rows), CONTEXT)
    (head, _, first, second) = [line for line in text.splitlines() if line.startswith("|")]

    assert head.endswith("| Spec | Cost so far | Cost left |")
    assert "| at most 15.75 USD | unknown |" in first
    assert "| unknown | - |" in second
    assert "Cost of the jobs to cancel: at most 15.75 USD, and 1 unknown so far" in text
    assert "Cost" not in plan_markdown(Report(rows=(dear, unpriced)), CONTEXT)


def test_a_planned_change_is_a_table_row_with_its_reason() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row(), why="too dear"), a_row("chat"))), CONTEXT)

    assert text.splitlines()[0] == "### Plan: 1 to cancel"
    assert (
        "| **cancel** to cancelled | **support-triage** | running | 5h15m | - | the spec wants it: too dear |" in text
    )
    assert "1 as desired." in text


def test_a_plan_in_shadow_mode_says_that_nothing_is_requested() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),), is_shadow=True), CONTEXT)

    assert text.splitlines()[:3] == ["### Plan: 1 to cancel", "", SHADOW_TEXT]


def test_a_plan_that_changes_every_job_does_not_say_that_there_are_none() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),)), CONTEXT)

    assert text.splitlines()[:3] == ["### Plan: 1 to cancel", "", "#### Changes"]
    assert plan_markdown(Report(), CONTEXT) == "### Plan: nothing to change\n\nNo jobs.\n"


def test_a_plan_of_jobs_that_could_not_be_observed_does_not_say_that_nothing_changes() -> None:
    away = a_row("chat", unobserved="the key is missing")

    assert plan_markdown(Report(rows=(away,)), CONTEXT).splitlines()[0] == (
        "### Plan: nothing to change among the jobs that could be observed"
    )
    assert plan_markdown(Report(rows=(away, with_cancel(a_waiting_row()))), CONTEXT).startswith(
        "### Plan: 1 to cancel\n"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a | b", "a \\| b"),
        ("<img src=x>", "\\<img src=x\\>"),
        ("@ada", "@<!-- -->ada"),
        ("[a](https://x)", "\\[a\\](https:<!-- -->//x)"),
        ("www.x.example", "www<!-- -->.x.example"),
        ("two\nlines", "two lines"),
        ("**bold** `code`", "\\*\\*bold\\*\\* \\`code\\`"),
        ("see #1, acme/web#7", "see #<!-- -->1, acme/web#<!-- -->7"),
        ("GH-3 gh-3", "GH-<!-- -->3 gh-<!-- -->3"),
        ("0123abc", "0123ab<!-- -->c"),
        (":tada: at 12:30", ":<!-- -->tada: at 12:30"),
        ("a $5 fee", "a \\$<!-- -->5 fee"),
        ("job-28 of run-7", "job-28 of run-7"),
    ],
)
def test_external_text_creates_no_markup_and_no_mentions(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.parametrize("jobs", [10, 250, 251, 2_000])
def test_a_comment_stays_within_its_size_limit_and_is_cut_between_rows(jobs: int) -> None:
    rows = tuple(with_cancel(a_waiting_row(name=f"job-{number:04}"), why="@" * 60) for number in range(jobs))
    text = plan_markdown(Report(rows=rows), CONTEXT)
    last = next(line for line in reversed(text.splitlines()) if "job-" in line)

    assert len(text) <= COMMENT_MAX
    assert last.endswith("|")
    assert ("_Cut after" in text) is (f"job-{jobs - 1:04}" not in text)


def test_a_commit_outside_ci_is_named_without_links() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),), revision=COMMIT), CONTEXT)

    assert text.splitlines()[2] == "Commit `0123456`."
    assert "](" not in text


def test_a_report_of_the_commit_of_a_ci_run_links_to_commit_run_and_spec_lines() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    row = replace(with_cancel(a_waiting_row()), line=12)
    text = plan_markdown(Report(rows=(row,), revision=COMMIT, diagnostics=(found,)), in_ci(LINKS))
    files = f"https://git.example/acme/infra/blob/{COMMIT}/top"

    assert text.splitlines()[2] == (
        f"Commit [`0123456`](https://git.example/acme/infra/commit/{COMMIT}) in [run 88](https://git.example/runs/5)."
    )
    assert f"| [team-a/bots.yaml:12]({files}/specs/team-a/bots.yaml#L12) |" in text
    assert f"- error: [specs/a.yaml:7]({files}/specs/a.yaml#L7): is wrong" in text


def test_a_merge_of_a_proposed_commit_names_the_proposed_commit() -> None:
    text = plan_markdown(Report(revision=COMMIT), in_ci(replace(LINKS, head="f" * 40)))

    assert f"Commit [`fffffff`](https://git.example/acme/infra/commit/{'f' * 40}), merged with its base branch," in text


def test_a_report_of_another_repository_has_no_links() -> None:
    text = plan_markdown(Report(rows=(with_cancel(a_waiting_row()),), revision="e" * 40), in_ci(LINKS))

    assert "](" not in text


def test_a_long_table_is_collapsed_unless_it_contains_the_changes() -> None:
    stalled = tuple(a_stalled_row(f"odd-{number:02}") for number in range(ROWS_MAX + 1))
    changes = tuple(with_cancel(a_waiting_row(name=f"job-{number:02}")) for number in range(ROWS_MAX + 1))

    assert "<details>" not in plan_markdown(Report(rows=stalled[1:]), CONTEXT)
    assert "<details>\n<summary>11 jobs</summary>\n" in plan_markdown(Report(rows=stalled), CONTEXT)
    assert "<details>" not in plan_markdown(Report(rows=changes), CONTEXT)


def test_a_cut_within_a_collapsed_table_closes_it() -> None:
    rows = tuple(a_stalled_row(f"odd-{number:04}", message="@" * 99) for number in range(500))
    text = plan_markdown(Report(rows=rows), CONTEXT)

    assert len(text) <= COMMENT_MAX
    assert (text.count("<details>"), text.count("</details>")) == (1, 1)
    assert text.index("</details>") < text.index("_Cut after")


def test_refusals_are_one_table_with_the_numbers_of_each_limit() -> None:
    refused = [with_cancel(a_waiting_row(name), progress=Progress.REFUSED) for name in ("one", "two")]
    known = a_refusal("east", "one", requested=4, earlier=1, unfinished=10)
    doubted = replace(known, scope="west", requested=1, earlier=0, unfinished=0, names=("two",), doubt="a | b")
    text = plan_markdown(Report(rows=tuple(refused), refusals=(known, doubted)), CONTEXT)

    limit = "3, or 30 % if more; at most 20"
    assert f"| east | 4 changes | 1 | 50 % of 10 unfinished jobs | {limit} | one |" in text
    assert f"| west | 1 change | unknown: a \\| b | - | {limit} | two |" in text
    assert "Approve-Cancels: 2" in text


def test_a_plan_counts_deleted_specs_whose_jobs_may_still_run_and_lists_them_first() -> None:
    running, ended = a_row("still-running").status, replace(a_row("ended").status, final=True)
    text = plan_markdown(Report(orphans=(ended, running)), CONTEXT)

    assert text.splitlines()[0] == "### Plan: 2 no longer managed (1 may still run)"
    assert text.index("**still-running**") < text.index("**ended**")


def test_diagnostics_and_refusals_come_before_stalled_jobs() -> None:
    found = Diagnostic(file="specs/a.yaml", line=7, message="is wrong")
    refused = with_cancel(a_waiting_row(), progress=Progress.REFUSED)
    text = plan_markdown(Report(rows=(refused, a_stalled_row("odd")), diagnostics=(found,)), CONTEXT)

    assert text.index("specs/a.yaml:<!-- -->7: is wrong") < text.index("Refused by the guard") < text.index("Stalled")


def test_a_refused_plan_has_the_number_in_its_title_and_shows_how_to_approve_it() -> None:
    refused = with_cancel(a_waiting_row(), progress=Progress.REFUSED)
    refusal = a_refusal("overall", "support-triage")
    text = plan_markdown(Report(rows=(refused,), refusals=(refusal,)), CONTEXT)

    assert text.splitlines()[0] == "### Plan: 1 refused"
    assert "```text\nreconcile --once --allow-cancels 1\n```" in text
    assert "```text\nApprove-Cancels: 1\n```" in text


@given(st.lists(parts | st.text(max_size=3), max_size=10).map("".join))
def test_no_piece_of_escaped_text_is_a_reference_and_no_text_is_lost(text: str) -> None:
    pieces = [re.sub(r"\\([\\`*_\[\]<>|~$&])", r"\1", piece) for piece in escaped(text).split(BREAK)]

    assert [piece for piece in pieces if REFERENCES.search(piece)] == []
    assert "".join(pieces) == clean(text)
