"""The accounts of a session: their number, provider types and keys."""

from __future__ import annotations

from random import Random

from tests.second_opinion.dialects import DIALECTS
from tests.second_opinion.world import Account


def variable(account: Account) -> str:
    """Return the environment variable that holds an account's key."""
    return f"KEY_{account.name.upper()}"


def drawn_accounts(chance: Random, *, simple: bool) -> list[Account]:
    """Return one to four accounts: several of OpenAI with different projects, and at most one of each other type."""
    number = chance.choice([1, 1, 2, 3])
    common = f"sk-proj-{chance.getrandbits(64):016x}" if chance.random() < 0.5 else None
    types = ["openai"] * number
    if chance.random() < 0.6 and not simple:
        others = [name for name in DIALECTS if name != "openai"]
        types += chance.sample(others, chance.choice([1, 2, 2]))
        types = types[chance.choice([0, 0, 1]) :]
    projects = types.count("openai") > 1
    return [
        Account(name, _key(chance, name, kind, common), f"proj_{name}" if kind == "openai" and projects else None, kind)
        for name, kind in zip("abcde", types, strict=False)
    ]


def _key(chance: Random, name: str, kind: str, common: str | None) -> str:
    own = f"sk-{name}-{chance.getrandbits(64):016x}"
    return f"AKIA{chance.getrandbits(48):012X}:{own}" if kind == "bedrock" else common or own
