"""Who commits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

_SIGNATURE = re.compile(r"(?P<name>[^<>\n]*[^<>\n ]) *<(?P<email>[^<>\s]+)>")


@dataclass(frozen=True, slots=True)
class Author:
    """Who commits."""

    name: str
    email: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return who `Ada <ada@example.org>` is. Raises ValueError with a sentence."""
        match = _SIGNATURE.fullmatch(text)
        if match is None:
            msg = f"{text!r} is not an author: write it as 'Ada <ada@example.org>'"
            raise ValueError(msg)
        return cls(match["name"], match["email"])

    def environment(self) -> Mapping[str, str]:
        """Return what tells Git so."""
        return {
            "GIT_AUTHOR_NAME": self.name,
            "GIT_AUTHOR_EMAIL": self.email,
            "GIT_COMMITTER_NAME": self.name,
            "GIT_COMMITTER_EMAIL": self.email,
        }
