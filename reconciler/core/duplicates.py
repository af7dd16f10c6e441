"""Find duplicate specs: those with the name or the job of another spec.

Rules: no duplicate is acted on, because either of them may be the intended one. A spec that may not use its account is
ignored, so that it cannot block another spec.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence

from reconciler.core.claim import Claim

OTHERS_MAX = 5
"""The maximum number of duplicates in a message. Without this limit, the message of each duplicate would list all other
duplicates.
"""


def duplicates(claims: Iterable[Claim]) -> dict[int, str]:
    """Return a message for each spec that has the same name or job as another spec, by key.

    Specs that may not use their account are ignored.
    """
    claims = [claim for claim in claims if claim.may_claim]
    if _are_all_different(claims):
        return {}
    sources = _sorted_by_key((claim.name, claim.source) for claim in claims)
    names = _sorted_by_key((claim.job, claim.name) for claim in claims if claim.job is not None)
    messages = (
        (claim.key, _same_name(claim, sources[claim.name]) or _same_job(claim, names.get(claim.job, ())))
        for claim in claims
    )
    return {key: message for key, message in messages if message is not None}


def _are_all_different(claims: Sequence[Claim]) -> bool:
    """Return whether there is no duplicate, which is the usual case."""
    jobs = [claim.job for claim in claims if claim.job is not None]
    return len({claim.name for claim in claims}) == len(claims) and len(set(jobs)) == len(jobs)


def _sorted_by_key(pairs: Iterable[tuple[Hashable, str]]) -> dict[Hashable, list[str]]:
    found: defaultdict[Hashable, list[str]] = defaultdict(list)
    for key, text in pairs:
        found[key].append(text)
    for texts in found.values():
        texts.sort()
    return dict(found)


def _same_name(claim: Claim, sources: Sequence[str]) -> str | None:
    """Return the message for a spec whose name is used in several places, or None."""
    if len(sources) <= 1:
        return None
    others = _others(sources, claim.source)
    return f"the name {claim.name!r} is used more than once: also in {others}; rename all but one"


def _same_job(claim: Claim, names: Sequence[str]) -> str | None:
    """Return the message for a spec whose job other specs name too, or None."""
    if claim.ref is None or len(names) <= 1:
        return None
    return f"another spec names the job {claim.ref.id} too: {_others(names, claim.name)}; remove all but one"


def _others(texts: Sequence[str], own: str) -> str:
    """Return a list of the texts other than `own`: at most `OTHERS_MAX`, then how many more there are.

    `texts` is sorted and contains `own`.
    """
    begun = list(texts[: OTHERS_MAX + 2])
    if own in begun:
        begun.remove(own)
    shown = list(dict.fromkeys(begun))[:OTHERS_MAX]
    more = len(texts) - 1 - OTHERS_MAX
    return ", ".join(shown) + (f" and {more:,} more" if more > 0 else "")
