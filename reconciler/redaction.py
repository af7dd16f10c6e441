"""The secrets that this process knows, and their redaction in text.

Responses from providers are redacted before other code reads them (`transport`, `redacted_provider`). Text that leaves
the process is redacted again: streams, log, audit log, statuses, web pages, comments and commit messages.

Rules: a secret is found verbatim and in its common transformations: in another case, reversed, split by white space or
control characters, percent-encoded, written with HTML entities or backslash escapes (each encoding up to three times
over), in hex, and in base64 at any offset of a longer text. Part of a secret is found too if it is a run of at least
the share `NEARLY` of the secret and of at least `RUN_MIN` characters.

Implementation: the text is searched for *needles*. A needle is the middle of a transformed secret, because every run of
the length above contains that middle. Text and needles are compared in a canonical form (`_canonical`). The time is
linear in the length of the text. If the text contains no secret, each needle is searched for once in the text, and once
in each decoded form of it.
"""

from __future__ import annotations

import base64
import math
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from urllib.parse import unquote

REDACTED = "[redacted]"
SECRET_MIN = 8
"""The minimum length of a secret. A shorter one is a placeholder such as `test`, which other words contain."""
RUN_MIN = 12
"""The minimum length of a part of a secret that is found, in characters."""
NEARLY = 0.8
"""The minimum length of a part of a secret that is found, as a share of the secret. `RUN_MIN` applies too."""
KEPT_PER_SOURCE = 8
"""How many of the newest secrets of a source are kept, because a response may still contain a replaced secret."""
ENCODED_TIMES = 3
"""How many layers of one encoding are decoded."""
PIECE_MAX = 4096
"""The longest piece of text, in characters, in which only the secret is redacted. A longer one is redacted whole."""
PIECES_MAX = 200
"""How many pieces of a text have only the secret redacted. Further pieces that contain a secret are redacted whole."""

_CAPITALS, _SMALL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"
_FOLDED = bytes.maketrans(_CAPITALS + b"-_", _SMALL + b"+/")
"""Maps letters to one case, and the URL-safe alphabet of base64 to the standard one."""
_INVISIBLE = bytes(range(33)) + b"\x7f"
_PERCENT = r"%(?P<percent>[0-9A-Fa-f]{2})"
_ENTITY = r"&(?P<entity>#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});?"
_BACKSLASHED = r"\\(?P<backslash>u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)"
_ESCAPES = tuple(
    (signs, re.compile(pattern, re.DOTALL))
    for signs, pattern in (
        ("%", _PERCENT),
        ("&", _ENTITY),
        ("\\", _BACKSLASHED),
        ("%&\\", f"{_PERCENT}|{_ENTITY}|{_BACKSLASHED}"),
    )
)
"""Each kind of escape alone, and then all kinds together.

Each kind is also decoded alone, because a secret may contain the sign of another kind.
"""
_WHOLE_ESCAPE = re.compile(r"""\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|["'\\/0abfnrtv])""")
_ESCAPED_SPACE = frozenset("0abfnrtv")
_ENDS_A_PIECE = re.compile(r'(["\n])')
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_HEX = frozenset("0123456789abcdefABCDEF")


def _canonical(text: str) -> bytes:
    """Return the form in which texts are compared: only visible ASCII, in lower case and one base64 alphabet."""
    return text.encode("ascii", "ignore").translate(_FOLDED, _INVISIBLE)


@dataclass(frozen=True, slots=True)
class _Needle:
    """The middle of a secret in one transformation, with what is needed to find the ends of the secret around it."""

    core: bytes
    before: bytes = b""
    """The part of the secret before the core. As much of it as the text contains is redacted too."""
    behind: bytes = b""
    """The part of the secret after the core."""
    run: frozenset[str] = frozenset()
    """The alphabet of the encoding. All adjacent characters in this alphabet are redacted too."""
    spare: int = 0
    """How many encoded characters of the secret may be on each side of the core. White space may separate them."""


def _needles(secret: str) -> Iterator[_Needle]:
    """Yield the needles of a secret: one for each transformation except escapes, which are decoded instead."""
    spare = max(0, len(secret) - max(RUN_MIN, math.ceil(NEARLY * len(secret))))
    begin, end = spare, len(secret) - spare
    for text in (secret, secret[::-1]):
        yield _Needle(_canonical(text[begin:end]), _canonical(text[:begin]), _canonical(text[end:]))
    data = secret[begin:end].encode()
    yield _Needle(_canonical(data.hex()), run=_HEX, spare=2 * spare)
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        # The first characters also depend on the text before the secret, and the last one on the text after it.
        first, last = math.ceil(8 * shift / 6), 8 * (shift + len(data)) // 6
        yield _Needle(_canonical(encoded[first:last]), run=_BASE64, spare=math.ceil(8 * (spare + 3) / 6))


@dataclass(frozen=True, slots=True)
class _Form:
    """The original text or a decoded form of it, with the position of each character in the original text."""

    text: str
    begins: list[int]
    ends: list[int]

    def decoded(self, escape: re.Pattern[str]) -> _Form:
        """Return this form with each escape decoded."""
        text, begins, ends, done = [], [], [], 0
        for match in escape.finditer(self.text):
            for at in range(done, match.start()):
                text.append(self.text[at])
                begins.append(self.begins[at])
                ends.append(self.ends[at])
            text.append(_decoded_char(match))
            begins.append(self.begins[match.start()])
            ends.append(self.ends[match.end() - 1])
            done = match.end()
        rest = range(done, len(self.text))
        return _Form(
            "".join(text) + self.text[done:],
            begins + [self.begins[at] for at in rest],
            ends + [self.ends[at] for at in rest],
        )

    def spans(self, needles: Iterable[_Needle]) -> Iterator[tuple[int, int]]:
        """Yield the spans of the original text that contain a secret."""
        places = [at for at, char in enumerate(self.text) if "!" <= char <= "~"]
        canonical = _canonical(self.text)
        for needle in needles:
            at = canonical.find(needle.core)
            while at >= 0:
                first, last = self._around(needle, canonical, at, places)
                yield self.begins[first], self.ends[last]
                at = canonical.find(needle.core, at + len(needle.core))

    def _around(self, needle: _Needle, canonical: bytes, at: int, places: list[int]) -> tuple[int, int]:
        """Return the positions of the first and last character to redact around a core that begins at `at`."""
        end = at + len(needle.core)
        if not needle.run:
            left = _shared(canonical[max(0, at - len(needle.before)) : at][::-1], needle.before[::-1])
            right = _shared(canonical[end : end + len(needle.behind)], needle.behind)
            return places[at - left], places[end + right - 1]
        first, last = places[at], places[end - 1]
        is_split = last - first > end - 1 - at
        left = _length_of_run(self.text[:first][::-1], needle, is_split=is_split)
        right = _length_of_run(self.text[last + 1 :], needle, is_split=is_split)
        return first - left, last + right


def _length_of_run(text: str, needle: _Needle, *, is_split: bool) -> int:
    """Return how many characters of a text continue an encoding. A split encoding continues after white space."""
    length, spare = 0, needle.spare
    for at, char in enumerate(text):
        if char in needle.run:
            spare -= 1
            length = at + 1
            if is_split and spare <= 0:
                break
        elif not is_split or "!" <= char <= "~":
            break
    return length


def _shared(one: bytes, other: bytes) -> int:
    """Return the length of the common prefix of two texts."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _decoded_char(match: re.Match[str]) -> str:
    """Return the character that an escape encodes, or a space for white space or several characters."""
    kind, code = str(match.lastgroup), match[match.lastgroup or 0]
    if kind == "entity":
        from html import unescape  # noqa: PLC0415  few texts contain an entity

        decoded = unescape(f"&{code};")
        return decoded if len(decoded) == 1 else " "
    if kind == "percent" or len(code) > 1:
        return chr(int(code.lstrip("ux"), 16))
    return " " if code in _ESCAPED_SPACE else code


class Secrets:
    """A set of secrets, grouped by source. Threads may share one instance."""

    def __init__(self) -> None:
        self.changes = 0
        """How many calls of `add` have added a secret."""
        self._lock = Lock()
        self._known: dict[Hashable, deque[str]] = {}
        self._needles: tuple[_Needle, ...] = ()
        self._cores: tuple[bytes, ...] = ()
        self._letters: tuple[str, ...] = ()

    def add(self, source: Hashable, *secrets: str) -> None:
        """Add secrets from one source, such as an account's key. A text shorter than `SECRET_MIN` is ignored."""
        with self._lock:
            known = self._known.setdefault(source, deque(maxlen=KEPT_PER_SOURCE))
            fresh = [each for each in secrets if len(each) >= SECRET_MIN and each not in known]
            if not fresh:
                return
            known.extend(fresh)
            everything = set(chain.from_iterable(self._known.values()))
            needles = chain.from_iterable(map(_needles, sorted(everything)))
            self._needles = tuple(dict.fromkeys(each for each in needles if len(each.core) >= SECRET_MIN))
            self._cores = tuple(each.core for each in self._needles)
            self._letters = tuple(sorted(map(_letters, everything)))
            self.changes += 1

    def is_in(self, text: str) -> bool:
        """Return whether a text contains a known secret."""
        cores = self._cores
        return bool(cores) and any(any(map(_canonical(form).__contains__, cores)) for form in _forms(text))

    def redact(self, text: str) -> str:
        """Return the text with each known secret, or a piece of text around it, replaced by `REDACTED`."""
        if not self.is_in(text):
            return text
        if len(text) <= PIECE_MAX:
            return self._redact_text(text)
        budget = iter(range(PIECES_MAX))
        pieces = (
            each if not self.is_in(each) else self._redact_piece(each) if next(budget, None) is not None else REDACTED
            for each in _ENDS_A_PIECE.split(text)
        )
        redacted = "".join(pieces)
        return REDACTED if self.is_in(redacted) else redacted  # a secret may span two pieces

    def has_letters_of(self, name: str) -> bool:
        """Return whether a name, such as a host's, contains a secret or part of one.

        A part is a run of `SECRET_MIN` letters and digits. Case and other characters are ignored.
        """
        letters = _letters(name)
        runs = [letters[at : at + SECRET_MIN] for at in range(len(letters) - SECRET_MIN + 1)]
        return any(run in each for each in self._letters for run in runs) or self.is_in(letters)

    def _redact_piece(self, piece: str) -> str:
        return self._redact_text(piece) if len(piece) <= PIECE_MAX else REDACTED

    def _redact_text(self, text: str) -> str:
        plain = _Form(text, [*range(len(text))], [*range(1, len(text) + 1)])
        spans = [*plain.spans(self._needles)]
        for _, escape in _ESCAPES:
            form = plain
            for _ in range(ENCODED_TIMES):
                form = form.decoded(escape)
                spans += form.spans(self._needles)
        escapes = [match.span() for match in _WHOLE_ESCAPE.finditer(text)]
        parts, done = [], 0
        for begin, end in sorted(_over_whole_escapes(span, escapes) for span in spans):
            if end > done:
                parts.append(text[done:begin] + REDACTED if begin >= done else "")
                done = end
        return "".join(parts) + text[done:]


def _over_whole_escapes(span: tuple[int, int], escapes: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the span extended to whole escapes, because half an escape would make the text around it invalid."""
    begin, end = span
    at = bisect_right(escapes, (begin, 0)) - 1
    if at >= 0 and escapes[at][0] < begin < escapes[at][1]:
        begin = escapes[at][0]
    at = bisect_right(escapes, (end, 0)) - 1
    if at >= 0 and escapes[at][0] < end < escapes[at][1]:
        end = escapes[at][1]
    return begin, end


def _letters(text: str) -> str:
    return "".join(each for each in text.lower() if each.isascii() and each.isalnum())


def _forms(text: str) -> Iterator[str]:
    """Yield a text, and the text with its escapes decoded once, twice and so on, up to `ENCODED_TIMES`."""
    yield text
    if not ("%" in text or "&" in text or "\\" in text):
        return
    for signs, escape in _ESCAPES:
        form = text
        for _ in range(ENCODED_TIMES):
            if sum(sign in form for sign in signs) < min(2, len(signs)):
                break
            form = unquote(form, "latin-1") if signs == "%" else escape.sub(_decoded_char, form)
            yield form


KNOWN_SECRETS = Secrets()
"""The secrets of this process. There is one set, because no output of the process may contain any of them."""
