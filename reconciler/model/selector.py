"""Selectors of labels, such as `team=support,env=prod`."""

from __future__ import annotations

Labels = tuple[tuple[str, str], ...]
"""The labels that a spec must have, each as a key and a value."""


def parse_selector(text: str) -> Labels:
    """Return the labels of a selector; an empty text has none. Raises `ValueError` if the text is not a selector."""
    pairs = [part.strip().partition("=") for part in text.split(",")] if text else []
    for key, sign, value in pairs:
        if not (key and sign and value):
            msg = f"{text!r} is not a selector: write it as team=support, or team=support,env=prod"
            raise ValueError(msg)
    return tuple((key, value) for key, _, value in pairs)
