"""The secrets that this process knows, and how they are struck out of a text.

What comes from a provider passes here before anything else reads it (`transport`, `redacted_provider`), and every text
that leaves the process passes here again: the streams, the log, the audit, statuses, pages, comments, commit messages.

Rules: a secret is found as it is and in what others make of it: another case, reversed, split by white space or control
characters, percent-encoded, as HTML entities or escapes (each up to three times over), in hex, and in either base64 at
any place of a longer text. Its middle is what is searched for, which is in every run of `NEARLY` of its characters
(and at least `RUN_MIN`), so that nearly all of a secret is found as well. The time is linear in the text; in one that
holds no secret, each needle is searched for once, as bytes.
"""

from __future__ import annotations

import base64
import math
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from threading import Lock
from urllib.parse import unquote

STRUCK = "[redacted]"
SECRET_MIN = 8
"""What is shorter is a placeholder such as `test`; to strike it out would spoil ids and words that hold it."""
RUN_MIN = 12
NEARLY = 0.8
LAST = 8
"""How many secrets of one place are known at once: an answer may still repeat the one before a change."""
ENCODED_TIMES = 3
PIECE_MAX = 4096
"""A longer text without a line's or a string's end that holds a secret is struck out whole."""
PIECES_MAX = 200
"""In a long text, the lines and strings after so many that hold a secret are struck out whole."""

_CAPITALS, _SMALL = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ", b"abcdefghijklmnopqrstuvwxyz"
_AS_ONE = bytes.maketrans(_CAPITALS + b"-_", _SMALL + b"+/")
"""Case, and the two alphabets of base64, make no difference."""
_UNSEEN = bytes(range(33)) + b"\x7f"
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
"""Each by itself, because a secret may hold the sign of another one, and all together."""
_WHOLE_ESCAPE = re.compile(r"""\\(u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|["'\\/0abfnrtv])""")
_ESCAPED_SPACE = frozenset("0abfnrtv")
_AUTHORISES = re.compile(r"auth|cookie|credential|key|password|secret|token", re.IGNORECASE)
"""What the name of a header holds whose value is a secret."""
_ENDS_A_PIECE = re.compile(r'(["\n])')
_BASE64 = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")
_HEX = frozenset("0123456789abcdefABCDEF")


def _squeezed(text: str) -> bytes:
    """Return what is compared: the ASCII that can be seen, in one case and one alphabet of base64."""
    return text.encode("ascii", "ignore").translate(_AS_ONE, _UNSEEN)


@dataclass(frozen=True, slots=True)
class _Needle:
    """The middle of a secret in some guise, and what is struck out around it."""

    core: bytes
    before: bytes = b""
    """What stands before it where the secret is whole, and as much of it as does is struck out."""
    behind: bytes = b""
    run: frozenset[str] = frozenset()
    """The characters of an encoding: all of them are struck out that go on from the middle."""
    spare: int = 0
    """How many of them belong to the secret on each side, so that they are struck out over white space as well."""


def _needles(secret: str) -> Iterator[_Needle]:
    """Yield what a secret looks like in each of the ways that can be searched for as they are."""
    spare = max(0, len(secret) - max(RUN_MIN, math.ceil(NEARLY * len(secret))))
    begin, end = spare, len(secret) - spare
    for text in (secret, secret[::-1]):
        yield _Needle(_squeezed(text[begin:end]), _squeezed(text[:begin]), _squeezed(text[end:]))
    data = secret[begin:end].encode()
    yield _Needle(_squeezed(data.hex()), run=_HEX, spare=2 * spare)
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + data).decode()
        # The first characters also depend on what stands before, and the last one on what stands behind.
        first, last = math.ceil(8 * shift / 6), 8 * (shift + len(data)) // 6
        yield _Needle(_squeezed(encoded[first:last]), run=_BASE64, spare=math.ceil(8 * (spare + 3) / 6))


@dataclass(frozen=True, slots=True)
class _Form:
    """A text, perhaps decoded, and where in the original each of its characters begins and ends."""

    text: str
    begins: list[int]
    ends: list[int]

    def decoded(self, escape: re.Pattern[str]) -> _Form:
        """Return it with what it stands for in the place of each escape."""
        text, begins, ends, done = [], [], [], 0
        for match in escape.finditer(self.text):
            for at in range(done, match.start()):
                text.append(self.text[at])
                begins.append(self.begins[at])
                ends.append(self.ends[at])
            text.append(_meant(match))
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
        """Yield the places of the original that hold a secret."""
        places = [at for at, char in enumerate(self.text) if "!" <= char <= "~"]
        squeezed = _squeezed(self.text)
        for needle in needles:
            at = squeezed.find(needle.core)
            while at >= 0:
                first, last = self._around(needle, squeezed, at, places)
                yield self.begins[first], self.ends[last]
                at = squeezed.find(needle.core, at + len(needle.core))

    def _around(self, needle: _Needle, squeezed: bytes, at: int, places: list[int]) -> tuple[int, int]:
        """Return the first and the last character to strike out around a core that begins there."""
        end = at + len(needle.core)
        if not needle.run:
            left = _shared(squeezed[max(0, at - len(needle.before)) : at][::-1], needle.before[::-1])
            right = _shared(squeezed[end : end + len(needle.behind)], needle.behind)
            return places[at - left], places[end + right - 1]
        first, last = places[at], places[end - 1]
        is_split = last - first > end - 1 - at
        left = _length_of_run(self.text[:first][::-1], needle, is_split=is_split)
        right = _length_of_run(self.text[last + 1 :], needle, is_split=is_split)
        return first - left, last + right


def _length_of_run(text: str, needle: _Needle, *, is_split: bool) -> int:
    """Return how many characters of a text go on with an encoding; of one that is split, also after white space."""
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
    """Return how many bytes two texts have in common from their beginning."""
    pairs = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _meant(match: re.Match[str]) -> str:
    """Return the one character that an escape stands for."""
    kind, code = str(match.lastgroup), match[match.lastgroup or 0]
    if kind == "entity":
        from html import unescape  # noqa: PLC0415  few texts hold an entity

        meant = unescape(f"&{code};")
        return meant if len(meant) == 1 else " "
    if kind == "percent" or len(code) > 1:
        return chr(int(code.lstrip("ux"), 16))
    return " " if code in _ESCAPED_SPACE else code


class Secrets:
    """A set of secrets, by where each comes from. Threads may share it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._known: dict[Hashable, deque[str]] = {}
        self._needles: tuple[_Needle, ...] = ()
        self._letters: tuple[str, ...] = ()

    def note(self, place: Hashable, *secrets: str) -> None:
        """Remember secrets of one place, such as an account's key. What is shorter than `SECRET_MIN` is none."""
        with self._lock:
            known = self._known.setdefault(place, deque(maxlen=LAST))
            fresh = [each for each in secrets if len(each) >= SECRET_MIN and each not in known]
            if not fresh:
                return
            known.extend(fresh)
            everything = set(chain.from_iterable(self._known.values()))
            needles = chain.from_iterable(map(_needles, sorted(everything)))
            self._needles = tuple(dict.fromkeys(each for each in needles if len(each.core) >= SECRET_MIN))
            self._letters = tuple(sorted(map(_letters, everything)))

    def is_in(self, text: str) -> bool:
        """Whether a text holds a secret."""
        needles = self._needles
        return bool(needles) and any(_holds(form, needles) for form in _forms(text))

    def strike(self, text: str) -> str:
        """Return the text with `STRUCK` in the place of each secret."""
        if not self.is_in(text):
            return text
        if len(text) <= PIECE_MAX:
            return self._struck(text)
        careful = iter(range(PIECES_MAX))
        pieces = (
            each if not self.is_in(each) else self._struck_piece(each) if next(careful, None) is not None else STRUCK
            for each in _ENDS_A_PIECE.split(text)
        )
        struck = "".join(pieces)
        return STRUCK if self.is_in(struck) else struck  # a secret that goes on over the end of a piece

    def has_letters_of(self, name: str) -> bool:
        """Whether a name, such as a host's, holds a secret or `SECRET_MIN` letters and digits of one in a row."""
        letters = _letters(name)
        runs = [letters[at : at + SECRET_MIN] for at in range(len(letters) - SECRET_MIN + 1)]
        return any(run in each for each in self._letters for run in runs) or self.is_in(letters)

    def _struck_piece(self, piece: str) -> str:
        return self._struck(piece) if len(piece) <= PIECE_MAX else STRUCK

    def _struck(self, text: str) -> str:
        plain = _Form(text, [*range(len(text))], [*range(1, len(text) + 1)])
        spans = [*plain.spans(self._needles)]
        for _, escape in _ESCAPES:
            form = plain
            for _ in range(ENCODED_TIMES):
                form = form.decoded(escape)
                spans += form.spans(self._needles)
        escapes = [match.span() for match in _WHOLE_ESCAPE.finditer(text)]
        struck, done = [], 0
        for begin, end in sorted(_over_whole_escapes(span, escapes) for span in spans):
            if end > done:
                struck.append(text[done:begin] + STRUCK if begin >= done else "")
                done = end
        return "".join(struck) + text[done:]


def _over_whole_escapes(span: tuple[int, int], escapes: list[tuple[int, int]]) -> tuple[int, int]:
    """Return the span without half an escape at either end, which would spoil the text around it, such as JSON."""
    begin, end = span
    at = bisect_right(escapes, (begin, 0)) - 1
    if at >= 0 and escapes[at][0] < begin < escapes[at][1]:
        begin = escapes[at][0]
    at = bisect_right(escapes, (end, 0)) - 1
    if at >= 0 and escapes[at][0] < end < escapes[at][1]:
        end = escapes[at][1]
    return begin, end


def secrets_in_header(name: str, value: str) -> list[str]:
    """Return what is secret of a request's header: `Bearer` is not, nor is a signature, which fits one request only."""
    scheme, _, rest = value.partition(" ")
    if not _AUTHORISES.search(name) or " " in rest.strip():
        return []
    found = [rest.strip() or value]
    if scheme.lower() == "basic":
        with suppress(ValueError):
            found += base64.b64decode(rest).decode().split(":", 1)
    return found


def _letters(text: str) -> str:
    return "".join(each for each in text.lower() if each.isascii() and each.isalnum())


def _forms(text: str) -> Iterator[str]:
    """Yield a text, and what it means if its escapes are read once, twice, and so on."""
    yield text
    for signs, escape in _ESCAPES:
        form = text
        for _ in range(ENCODED_TIMES):
            if sum(sign in form for sign in signs) < min(2, len(signs)):
                break
            form = unquote(form, "latin-1") if signs == "%" else escape.sub(_meant, form)
            yield form


def _holds(text: str, needles: tuple[_Needle, ...]) -> bool:
    squeezed = _squeezed(text)
    return any(needle.core in squeezed for needle in needles)


KNOWN = Secrets()
"""The secrets of this process. There is one set because a process has one output, which must show none of them."""
