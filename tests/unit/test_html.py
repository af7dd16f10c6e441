"""HTML that escapes every text."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.views.html import Html, joined, tag
from reconciler.views.text import clean


class _Reader(HTMLParser):
    """The elements, attributes and texts of a piece of HTML, as a browser reads them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader


@given(text=st.text())
def test_no_text_becomes_an_element_or_ends_an_attribute(text: str) -> None:
    reader = read(tag("p", text, title=text))

    assert reader.elements == [("p", [("title", clean(text))])]
    assert reader.text == clean(text)


def test_pieces_of_html_are_not_escaped_again() -> None:
    assert tag("ul", (tag("li", each) for each in ("a", "<b>"))) == "<ul><li>a</li><li>&lt;b&gt;</li></ul>"
    assert joined("a & ", None, Html("<br>")) == "a &amp; <br>"


@pytest.mark.parametrize(
    ("attributes", "written"),
    [
        ({"class_": "a"}, '<i class="a"></i>'),
        ({"aria_label": "a"}, '<i aria-label="a"></i>'),
        ({"hidden": True}, "<i hidden></i>"),
        ({"hidden": False, "title": None}, "<i></i>"),
        ({"tabindex": 0}, '<i tabindex="0"></i>'),
    ],
)
def test_attributes_are_written_as_in_html(attributes: dict[str, str | int | bool | None], written: str) -> None:
    assert tag("i", **attributes) == written


def test_a_void_element_has_no_end_tag() -> None:
    assert tag("input", name="q") == '<input name="q">'


def test_characters_that_reorder_or_hide_text_are_shown_as_escapes() -> None:
    assert tag("p", "a\u202eb\x00c\ud800") == r"<p>a\u202eb\x00c\ud800</p>"
