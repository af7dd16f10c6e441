"""The share of the accounts that one of several replicas looks after.

Theory: rendezvous hashing. For each account, every shard has a score, and the shard with the highest score owns the
account. With another number of shards, an account moves only to a new shard or from a removed one; no account moves
between two shards that remain. All kinds of job in an account have one owner, because they share its limits.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256

from reconciler.model.account_line import without_kind

SHARDS_MAX = 1000
_FORM = re.compile(r"([1-9]\d{0,3})/([1-9]\d{0,3})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of several shards. `index` counts from 1 to `count`."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Return the shard that a text such as `2/3` names. Raises `ValueError` with a message for users."""
        found = _FORM.fullmatch(text)
        if found is None or not int(found[1]) <= int(found[2]) <= SHARDS_MAX:
            msg = f"write I/N, as in 2/3, with I from 1 to N and N at most {SHARDS_MAX:,}"
            raise ValueError(msg)
        return cls(int(found[1]), int(found[2]))

    def __str__(self) -> str:
        """Return the text that `parse` reads."""
        return f"{self.index}/{self.count}"

    @property
    def is_first(self) -> bool:
        """Whether this shard also looks after what belongs to no account."""
        return self.index == 1

    def owns(self, account: str) -> bool:
        """Return whether this shard owns an account, by its account line (`model.account_line`)."""
        shared = without_kind(account)
        return max(range(1, self.count + 1), key=lambda index: (_score(shared, index), index)) == self.index


def _score(account: str, index: int) -> bytes:
    return sha256(f"{index}\0{account}".encode()).digest()
