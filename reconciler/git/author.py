"""The author of commits, written as `Ada <ada@example.org>`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_SIGNATURE = re.compile(r"(?P<name>[^<>\n]*[^<>\n ]) *<(?P<email>[^<>\s]+)>")


@dataclass(frozen=True, slots=True)
class Author:
    """The name and email address of an author."""

    name: str
    email: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse a text such as `Ada <ada@example.org>`, and return the author.

        Raises `ValueError` with a message for the user if the text does not have this form.
        """
        match = _SIGNATURE.fullmatch(text)
        if match is None:
            msg = f"{text!r} is not an author: write it as 'Ada <ada@example.org>'"
            raise ValueError(msg)
        return cls(match["name"], match["email"])

    def environment(self) -> Mapping[str, str]:
        """Return the environment variables that make Git commit as this author."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }
