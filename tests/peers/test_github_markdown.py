"""GitHub's Markdown renderer, cmark-gfm, reads the comments: external text stays plain text, in its own cell."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.model.report import Report
from reconciler.views.plan_markdown import plan_markdown
from reconciler.views.repository_links import RepositoryLinks
from reconciler.views.text import clean
from tests.support.references import REFERENCES
from tests.support.reports import CONTEXT, a_row, a_stalled_row, a_waiting_row, with_cancel

cmarkgfm = pytest.importorskip("cmarkgfm", reason="pip install cmarkgfm")

_TAG = re.compile(r"<[^>]*>")
_OURS = re.compile(r"</?(table|thead|tbody|tr|th|td|strong|h3|h4|p)>|<!-- -->")
HOSTILE = (
    *("::error::", "##[error]", "%0A", "\r\n", "<img src=x onerror=alert(1)>", "</td></table>", "<!--", "-->"),
    *("#1", "acme/web#7", "GH-3", "deadbeef", "0123456789abcdef0123456789abcdef01234567", ":tada:", "$x$", "@acme/web"),
    *("|", "\\", "\\|", "`", "```", "**", "__", "~~", "[a](https://x.example)", "![](x)", "<https://x.example>"),
    *(
        "https://x.example",
        "ftp://x.example",
        "www.x.example",
        "a@x.example",
        "@ada",
        "&lt;",
        "&#60;",
        "[^1]",
        "\x1b[31m",
    ),
)
LINKS = RepositoryLinks(
    base="https://git.example/acme", commit="a" * 40, head=None, run="run 88", run_url="https://git.example/runs/5"
)
foreign = st.lists(st.sampled_from(HOSTILE) | st.text(max_size=4), max_size=8).map("".join)


@given(foreign, foreign)
def test_foreign_text_is_rendered_literally_by_github_markdown(why: str, said: str) -> None:
    rows = (with_cancel(a_waiting_row(), why=why), a_stalled_row("odd", message=said), a_row("chat"))
    page = cmarkgfm.github_flavored_markdown_to_html(
        plan_markdown(Report(rows=rows), CONTEXT), cmarkgfm.Options.CMARK_OPT_UNSAFE
    )
    cells = [[html.unescape(_TAG.sub("", cell)) for cell in row.split("</td>")[:-1]] for row in page.split("</tr>")]
    shown = {cell.strip() for row in cells for cell in row}
    texts = [html.unescape(text) for text in _TAG.split(page)]

    assert [text for text in texts if REFERENCES.search(text)] == []
    assert [tag for tag in _TAG.findall(page) if not _OURS.fullmatch(tag)] == []
    assert {len(row) for row in cells} == {0, 7, 3}
    assert " ".join(f"the spec wants it: {clean(why)}".split()) in {" ".join(cell.split()) for cell in shown}
    assert " ".join(clean(said).split()) in {" ".join(cell.split()) for cell in shown}


@given(foreign)
def test_the_path_of_a_spec_is_a_link_to_the_repository_only(path: str) -> None:
    row = replace(with_cancel(a_waiting_row()), source=path, line=3)
    context = replace(CONTEXT, find_links=lambda: LINKS)
    page = cmarkgfm.github_flavored_markdown_to_html(
        plan_markdown(Report(rows=(row,), revision=LINKS.commit), context), cmarkgfm.Options.CMARK_OPT_UNSAFE
    )
    (shown,) = re.findall(r"<td>(<a .*?)</td>", page)
    tags = [tag for tag in _TAG.findall(page) if not _OURS.fullmatch(tag) and tag not in {"</a>", "<code>", "</code>"}]

    assert [tag for tag in tags if not tag.startswith('<a href="https://git.example/')] == []
    assert " ".join(html.unescape(_TAG.sub("", shown)).split()) == " ".join(f"{clean(path)}:3".split())
