"""Clean text from providers and other sources before it becomes part of a message.

Rules: each function takes time that is linear in the length of the text, whatever its content. Therefore no regular
expression that backtracks is used here.
"""

from __future__ import annotations

RAW_FACTOR = 8
"""The maximum length of the text that is read, as a multiple of the maximum length of the result.

It is more than 1, because white space and queries are removed from the text.
"""


def one_line(text: str, length: int) -> str:
    """Return a text as one printable line of at most `length` characters, with URLs cut at `?`.

    Only the first `RAW_FACTOR` times `length` characters are read, so that a very long text is handled quickly.
    """
    beginning = text[: RAW_FACTOR * length]
    if not beginning.isprintable():
        beginning = "".join(each if each.isprintable() else " " for each in beginning)
    return without_queries(beginning)[:length].rstrip()


def without_queries(text: str) -> str:
    """Return the words of a text, joined by spaces. URLs are cut at `?`, because a query may contain a secret."""
    words = text.split()
    return " ".join(map(_cut, words) if "://" in text else words)


def _cut(word: str) -> str:
    begins = word.find("://")
    ends = word.find("?", begins) if begins >= 0 else -1
    return word if ends < 0 else word[:ends]
