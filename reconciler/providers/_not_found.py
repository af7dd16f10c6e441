"""Determine from the message of a not-found error whether it says that a job does not exist.

Rule: the job must be the subject. `Batch b1 not found` is about the batch, but `Results for batch b1 not found`, `No
upstream for b1` and `no route for /batches/b1: not found` are about something else. Of a message, only the part before
the first path or URL is read.
"""

from __future__ import annotations

import re

from reconciler.plugin import JobRef

BATCH = "(message )?batch( job)?"
"""A regular expression for the word for a batch in a not-found error."""
FINE_TUNE = r"fine[- ]?tun(e|ing)([- ]job)?"
"""A regular expression for the word for a fine-tuning job in a not-found error."""
_ANY_NOUN = "job|entity|item|object|record|resource"
"""Further words for a job. They count only together with its id."""
_START = r"(?:^|^404\s|[,.:;]\s|\s-\s)\W?(?:there\sis\s)?"
"""The beginning of a clause."""
_ARTICLES = r"(?:(?:a|any|that|the|this|your|given|provided|requested|specified)\s)*"
_IS_NOT = r"(?:\s(?:was|is|has|does|could|can))?(?:\snot|n't|not)\s(?:be\s|been\s)?(?:found|exist)|\sno\slonger\sexists"
_LABEL = r"(?:\W{0,2}(?:\b(?:with|by|for|of|matching)\s)?(?:the\s|this\s)?(?:id|identifier|name))?"
_PATH = re.compile(r"(?<!\w)/\w")
_END = r"(?=\W*$|\W*[.,;:(]|\W?\s(?:found|exists?|in|on|was|is|could)\b)"


def says_missing(message: str, ref: JobRef, noun: str) -> bool:
    """Return whether the message of a not-found error says that the job does not exist, by its id or by its kind.

    Args:
        message: the message.
        ref: the job.
        noun: a regular expression for the service's word for a job.
    """
    return names_missing(message, ref, noun) or _matches(
        message,
        rf"{_ARTICLES}['\"]?(?:{noun})['\"]?(?:\sid)?(?:{_IS_NOT})\b",
        rf"no\s(?:such\s)?(?:{noun})(?:\swas)?\s(?:found|exists)\b",
    )


def names_missing(message: str, ref: JobRef, noun: str) -> bool:
    """Return whether the message of a not-found error says that the job with this id does not exist.

    The arguments are those of `says_missing`.
    """
    job_id = rf"(?<![\w/-])['\"`(\[<]*(?:batches/)?{re.escape(ref.id)}(?![\w-])['\"`)\]>]*"
    kind = rf"(?:(?:{noun}|{_ANY_NOUN}){_LABEL}[\s:=]{{1,2}})"
    named = rf"{_ARTICLES}{kind}?{job_id}"
    return _matches(
        message,
        rf"{named}(?:{_IS_NOT})\b",
        rf"no\s(?:such\s)?(?:(?:{noun}|{_ANY_NOUN})(?:\s(?:found|exists))?{_LABEL}[\s:=]{{1,2}}){job_id}{_END}",
        rf"(?:could\snot|couldn't|can\s?not|can't|unable\sto|failed\sto)\s(?:find|locate)\s{named}{_END}",
        rf"(?:not\sfound|unknown)\W{{1,2}}{named}{_END}",
    )


def _matches(message: str, *clauses: str) -> bool:
    """Return whether one of these clauses begins in the part of a message before the first path."""
    path = _PATH.search(message)
    said = message if path is None else message[: path.start()]
    return re.search(f"{_START}(?:{'|'.join(clauses)})", said, re.IGNORECASE) is not None
