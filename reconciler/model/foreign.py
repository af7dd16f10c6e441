"""Text that others wrote, where it becomes part of a message.

Rules: each function takes time that is linear in the text, whatever the text is; a pattern that would try again from
each place is therefore not used here.
"""

from __future__ import annotations

RAW_MAX = 8
"""How many times longer than what is kept of it a text may be before it is cut: white space and queries take room."""


def one_line(text: str, length: int) -> str:
    """Return a text as one printable line of at most `length` characters, URLs cut at `?`.

    What stands after `RAW_MAX` times the length is dropped unread, so that an endless text costs nothing.
    """
    printable = "".join(each if each.isprintable() else " " for each in text[: RAW_MAX * length])
    return without_queries(printable)[:length].rstrip()


def without_queries(text: str) -> str:
    """Return the words of a text, one space between them, each URL cut at its `?`, since a query may hold a secret."""
    return " ".join(map(_cut, text.split()))


def _cut(word: str) -> str:
    begins = word.find("://")
    ends = word.find("?", begins) if begins >= 0 else -1
    return word if ends < 0 else word[:ends]
