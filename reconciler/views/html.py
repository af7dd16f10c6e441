"""HTML as nested function calls, in which every text is escaped.

Rules: only `tag`, `joined` and `document` create `Html`. Every other text is escaped, and its characters that are not
printable are shown as escape sequences (`text.clean`), because the texts of specs, commits and providers are untrusted.
Names of elements and attributes come from the code only. A URL in an attribute is made by the code from escaped parts.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from functools import lru_cache

from reconciler.views.text import clean


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


Child = str | Iterable["Html"] | None
"""The content of an element: HTML, a text to escape, several pieces of HTML, or nothing."""
Attribute = str | int | bool | None
"""The value of an attribute. False and None leave the attribute out; True writes it without a value."""
NOTHING = Html()
_VOID = frozenset({"input", "link", "meta"})
_SPECIAL = re.compile("[&<>\"']")


def escaped(text: str) -> Html:
    """Return a text as HTML. A text that is HTML already is returned unchanged."""
    if isinstance(text, Html):
        return text
    cleaned = clean(text)
    return Html(html.escape(cleaned) if _SPECIAL.search(cleaned) else cleaned)


def tag(element: str, /, *children: Child, **attributes: Attribute) -> Html:
    """Return an element.

    Args:
        element: the name of the element.
        children: its content.
        attributes: its attributes. A `_` at the end of a name is removed, and every other `_` becomes a `-`.
    """
    shown = "".join([_attribute(each, value) for each, value in attributes.items()])
    if element in _VOID:
        return Html(f"<{element}{shown}>")
    return Html(f"<{element}{shown}>{joined(*children)}</{element}>")


def joined(*children: Child) -> Html:
    """Return the pieces as HTML, one after another. A piece that is not HTML is escaped."""
    return Html("".join([child if isinstance(child, Html) else _piece(child) for child in children]))


def document(head: Html, body: Html) -> str:
    """Return a complete HTML document, whose declared language is English."""
    return f'<!doctype html>\n<html lang="en">{head}{body}</html>\n'


def _piece(child: Child) -> str:
    if isinstance(child, str):
        return escaped(child)
    return "" if child is None else "".join(child)


@lru_cache(maxsize=1024)  # a table repeats most of its attributes in every row
def _attribute(name: str, value: Attribute) -> str:
    if value is None or value is False:
        return ""
    written = name.rstrip("_").replace("_", "-")
    return f" {written}" if value is True else f' {written}="{escaped(str(value))}"'
