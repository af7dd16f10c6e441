"""Building blocks of Markdown text for GitHub.

Rules:

- Text from specs and providers cannot create markup or links, notify a user, or end its table cell. Text that a reader
  copies from the page is the original text.
- Commands are formatted as code.
- A long table is collapsed.
- A text that is too long is cut between two lines, and a notice at the end says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from reconciler.model.report import Row
from reconciler.views.problems import Problem
from reconciler.views.render_context import SizeLimit
from reconciler.views.report_sources import NO_SOURCES, ReportSources
from reconciler.views.row_state import row_state
from reconciler.views.text import clean, count

CUT = "\n_Cut after {kept:,} of {lines:,} lines, because there is no room for more. `reconcile {verb}` shows all._\n"

ROWS_MAX = 10
"""A longer table is collapsed. A reader opens it with a click."""
SHA_SHOWN = 7
"""How many digits of a commit's ID are shown."""
_COLLAPSED, _END = "<details>", "</details>"

_BREAK = "<!-- -->"
"""An empty comment. GitHub neither shows nor copies it, and recognises no reference that it splits."""
_SPECIAL = re.compile(
    r"""
      (?P<markup> [\\`*_\[\]<>|~&] )
    | (?P<maths> \$ )
    | (?P<sha> [0-9A-Fa-f]{7,} )
    | [@\#] (?=\w)            # @ada, #1, acme/web#7, an e-mail address
    | : (?=//)                # https://
    | : (?=[\w+-]+:)          # :tada:
    | [Ww]{3} (?=\.)          # www.
    | (?<=[A-Z]) - (?=\w)     # GH-3, GHSA-, and most keys that a repository links to another tracker
    | (?<=[Gg]h) - (?=\d)     # gh-3
    """,
    re.VERBOSE,
)
"""Markup, and the beginning of each text that GitHub turns into a link or a notification
(https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls).
"""
_SHORTER_THAN_A_SHA = 6
"""The maximum number of hexadecimal digits in a row. GitHub turns seven or more into a link to a commit."""
_CODE = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Return untrusted text as one line of Markdown that shows it unchanged, without links or notifications."""
    return _SPECIAL.sub(_harmless, clean(text))


def _harmless(found: re.Match[str]) -> str:
    part = found[0]
    if found["markup"]:
        return f"\\{part}"
    if found["maths"]:
        return f"\\{part}{_BREAK}"
    if found["sha"]:
        starts = range(0, len(part), _SHORTER_THAN_A_SHA)
        return _BREAK.join(part[at : at + _SHORTER_THAN_A_SHA] for at in starts)
    return f"{part}{_BREAK}"


def advice(text: str) -> str:
    """Return the Markdown of a message of `reconcile`: text in backticks is code, and the rest is escaped."""
    parts = _CODE.split(clean(text))
    return "".join(f"`{part}`" if at % 2 else escaped(part) for at, part in enumerate(parts))


def table_row(*cells: str) -> str:
    """Return one row of a table. The cells must already be escaped."""
    return f"| {' | '.join(cells)} |"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], noun: str | None = None) -> Iterator[str]:
    """Yield a table. A table of more than `ROWS_MAX` rows is collapsed to their number, unless `noun` is None."""
    lines = [table_row(*head), f"|{'---|' * len(head)}", *(table_row(*row) for row in rows)]
    if noun is None or len(rows) <= ROWS_MAX:
        yield from lines
    else:
        yield from (_COLLAPSED, f"<summary>{count(len(rows), noun)}</summary>", "", *lines, "", _END)


def code_block(text: str) -> str:
    """Return one line of text as a block that GitHub shows with a button that copies it."""
    return f"```text\n{clean(text)}\n```"


def link(text: str, address: str) -> str:
    """Return a link to an address without spaces and brackets."""
    return f"[{escaped(text)}]({address})"


def bytes_of(text: str) -> int:
    """Return the size of a text in bytes. For a limit in characters, use `len` instead."""
    return len(text.encode())


def fitted(lines: Sequence[str], limit: SizeLimit, verb: str) -> str:
    """Return the lines as one text. If it exceeds the size limit, cut it after a whole line, and append a notice.

    If not even the notice fits, return only the notice, which then exceeds the limit.

    Args:
        lines: the lines, the most important first. A line with line breaks is not cut.
        limit: the maximum size of the text.
        verb: the command that shows all lines, for the notice.
    """
    whole = "\n".join(lines) + "\n"
    if limit.size_of(whole) <= limit.maximum:
        return whole
    # Room for the longest possible notice is reserved first, so that the text fits together with the notice.
    left = limit.maximum - limit.size_of(_end_of_cut(lines, len(lines), verb, is_collapsed=True))
    kept = 0
    for line in lines:
        left -= limit.size_of(line) + 1
        if left < 0:
            break
        kept += 1
    is_collapsed = lines[:kept].count(_COLLAPSED) > lines[:kept].count(_END)
    return "".join(f"{line}\n" for line in lines[:kept]) + _end_of_cut(lines, kept, verb, is_collapsed=is_collapsed)


def _end_of_cut(lines: Sequence[str], kept: int, verb: str, *, is_collapsed: bool) -> str:
    """Return the end of a text that is cut after `kept` lines, which closes a collapsed table."""
    return (f"\n{_END}\n" if is_collapsed else "") + CUT.format(kept=kept, lines=len(lines), verb=verb)


def origin_lines(sources: ReportSources) -> Iterator[str]:
    """Yield the commit and the CI run of a report, or nothing if the commit is unknown."""
    links, commit = sources.links, sources.commit
    if commit is None:
        return
    if links is None:
        yield from ("", f"Commit `{commit[:SHA_SHOWN]}`.")
        return
    is_merge = links.head is not None and commit != links.head
    shown = links.head if is_merge and links.head is not None else commit
    merged = ", merged with its base branch," if is_merge else ""
    yield from (
        "",
        f"Commit [`{shown[:SHA_SHOWN]}`]({links.commit_url(shown)}){merged} in {link(links.run, links.run_url)}.",
    )


def spec_link(row: Row, sources: ReportSources) -> str:
    """Return the file and line of a spec, as a link if its address is known."""
    place = row.source if row.line is None else f"{row.source}:{row.line}"
    url = sources.spec_url(row)
    return escaped(place) if url is None else link(place, url)


def problem_lines(title: str, found: Iterable[Problem], sources: ReportSources = NO_SOURCES) -> Iterator[str]:
    """Yield a title and a list of problems, or nothing if there is no problem."""
    problems = list(found)
    if problems:
        yield from ("", f"#### {title}", "")
    for problem in problems:
        yield f"- {problem.severity}: {_summary(problem, sources)}"
        if problem.hint is not None and problem.file is None:
            yield f"  {advice(problem.hint)}"


def _summary(problem: Problem, sources: ReportSources) -> str:
    """Return the summary of a problem. The place in a document, with which it begins, becomes a link."""
    if problem.file is None or (url := sources.url(problem.file, problem.line)) is None:
        return escaped(problem.summary)
    place = problem.file if problem.line is None else f"{problem.file}:{problem.line}"
    return link(place, url) + escaped(problem.summary.removeprefix(place))


def state_lines(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a title and a table of jobs with the reason and message of each, or nothing if there is no job."""
    if not rows:
        return
    yield from ("", f"#### {title}", "")
    states = [(row.name, row_state(row)) for row in rows]
    cells = [(f"**{escaped(name)}**", state.reason, escaped(state.message)) for name, state in states]
    yield from table(("Job", "Reason", "Message"), cells, "job")
