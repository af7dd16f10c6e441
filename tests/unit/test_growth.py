"""The time to process a text is linear in its length: each pattern of the package, and each reader of external text.

Each time is compared only with the time of the same work on a shorter text in the same run. A power of 1 is linear, and
2 is quadratic. `python -m tests.unit.test_growth` prints every power.
"""

from __future__ import annotations

import ast
import importlib
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from reconciler import plugin
from reconciler.ci import github_text, gitlab_text
from reconciler.core import globs
from reconciler.errors import ProviderError
from reconciler.formats import status_writer
from reconciler.local.credential_policy import parse_endpoint
from reconciler.model.job import Account, JobRef
from reconciler.providers import NAMES, _aws_errors, _google_errors, _openai_errors, load
from reconciler.redaction import Secrets
from reconciler.time_headers import http_date, retry_after_s
from reconciler.views import column_paths, markdown, text
from tests.support.canned_transport import answer

PACKAGE = Path(plugin.__file__).parents[1]
METHODS = ("search", "match", "fullmatch", "sub", "findall", "finditer", "split")
FIRST_LOOK = 4_000
SIZES = (2_000, 16_000)
POWER_MAX = 1.5
"""A limit between linear and quadratic, with a tolerance for a busy machine."""
HARMLESS_S = 0.001
"""A time that a quadratic pattern exceeds with `FIRST_LOOK` characters, and a linear pattern does not."""
NOISE_S = 0.0001
"""Shorter times are noise and are raised to this value."""
REF = JobRef(Account("openai", "https://api.example.org/v1"), "ftjob-1")

SECRET = "canary-0123456789abcdef"  # noqa: S105 - a canary
KNOWING = Secrets()
KNOWING.add("a test", SECRET)

Work = Callable[[str], object]


def patterns() -> Iterator[tuple[str, str, Work]]:
    """Yield each use of a pattern in the package: its place, its source, and a function that applies it to a text."""
    for path in sorted(PACKAGE.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        module = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        for name in re.findall(r"^(_?[A-Z_]+) = re\.compile\(", source, re.MULTILINE):
            pattern = getattr(importlib.import_module(module), name)
            yield from (
                (f"{module}.{name}.{method}", str(pattern.pattern), partial(_applied, pattern, method))
                for method in METHODS
                if re.search(rf"\b{name}\.{method}\(", source)
            )
        has_calls = any(f"re.{method}(" in source for method in METHODS)  # most modules have none
        for node in ast.walk(ast.parse(source)) if has_calls else ():
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
                text = node.args[0].value if node.args and isinstance(node.args[0], ast.Constant) else None
                if ast.unparse(node.func.value) == "re" and isinstance(text, str):
                    place = f"{module}:{node.lineno}.{node.func.attr}"
                    yield place, text, partial(_applied, re.compile(text), node.func.attr)
    for type_ in sorted(NAMES):
        pattern = re.compile(load(type_).id_pattern)
        yield f"{type_}.id_pattern", pattern.pattern, partial(_applied, pattern, "fullmatch")


def _applied(pattern: Any, method: str, text: str) -> object:
    given = text.encode() if isinstance(pattern.pattern, bytes) else text
    found = getattr(pattern, method)(*([given[:0], given] if method == "sub" else [given]))
    return list(found) if method == "finditer" else found


def hostile(source: str) -> Iterator[Callable[[int], str]]:
    """Yield texts of any length that repeat parts of a pattern, so that they match it almost or completely."""
    words = sorted(set(re.findall(r"[A-Za-z]{2,}", source)))[:8]
    chars = sorted({char for char in f"{source} aA0_" if char.isascii() and char.isprintable()})
    for begin in ("", *words, *"ka0"):
        for each in (*words, *chars, *(f"{char}{word}" for word in words[:3] for char in chars), "http://", "://"):
            yield lambda size, begin=begin, each=each: f"{begin}{each * (size // len(each))}\x00"  # type: ignore[misc]


def _wrapped(work: Callable[..., object], *more: object, **fields: str) -> Work:
    """Return the work on a response whose error contains the text in each field with the value `TEXT`."""

    def on_answer(text: str) -> object:
        complaint = {key: text if value == "TEXT" else value for key, value in fields.items()}
        return work(answer({"error": complaint, **complaint}, 404), *more)

    return on_answer


def _matched(file: str, glob: str) -> None:
    globs.compiled.cache_clear()
    globs.matches(file, glob)


READERS: Mapping[str, Work] = {
    "globs: a deep glob": lambda text: _matched("a/" * 32 + "a", "**/a/" * (len(text) // 5)),
    "globs: a long path": lambda text: _matched(text, "**/a*a/**/**/*a*b/**/?"),
    "plugin.clean": plugin.clean,
    "status_writer.clean_text": status_writer.clean_text,
    "views.text.clean": text.clean,
    "column_paths.parse_columns": column_paths.parse_columns,
    "markdown.escaped": markdown.escaped,
    "github.without_commands": github_text.without_commands,
    "gitlab.without_sections": gitlab_text.without_sections,
    "gitlab.note_text": gitlab_text.note_text,
    "gitlab.dotenv_text": lambda text: gitlab_text.dotenv_text(text, {"commit-sha": text}),
    "trust.parse_endpoint": parse_endpoint,
    "redaction.redact": KNOWING.redact,
    "transport.http_date": http_date,
    "transport.retry_after_s": lambda text: retry_after_s({"retry-after": text, "retry-after-ms": text}, None),
    "openai: code": _wrapped(_openai_errors.is_job_not_found, REF, code="TEXT"),
    "openai: message": _wrapped(_openai_errors.is_job_not_found, REF, code="404", message="TEXT"),
    "openai: refusal": _wrapped(_openai_errors.raise_unless_ok, code="TEXT", type="TEXT", message="TEXT"),
    "aws: refusal": _wrapped(_aws_errors.raise_unless_ok, __type="TEXT", message="TEXT"),
    "google: refusal": _wrapped(_google_errors.raise_unless_ok, status="TEXT", message="TEXT"),
}
PIECES = (
    *("a", " ", "\n", "\x00", "\u200b", "é", "\ud800", "%", "%2", "%25", "&", "&#", "&amp;", "\\", "\\u", "\\u0041"),
    *(
        ":",
        ",",
        "/",
        "?",
        "http://",
        "http://?",
        "tun",
        "job_",
        "_not_found",
        "'code': '",
        "1 ",
        "-",
        "=",
        "@",
        "::",
        "www.",
    ),
    *("|", "0", "1970 ", "[", "SSL", f"{SECRET} ", f'{SECRET}"', f"{SECRET}%", "a/"),
)


def _took_s(work: Work, text: str, times: int = 1) -> float:
    best = math.inf
    for _ in range(times):
        begun = time.thread_time()
        with suppress(ProviderError, ValueError):
            work(text)
        best = min(best, time.thread_time() - begun)
    return best


def power(work: Work, text_of: Callable[[int], str]) -> float:
    """Return the power of a text's length with which the time grows. A large power is measured again."""
    least = math.inf
    for _ in range(5):
        short, long = (max(_took_s(work, text_of(size), times=3), NOISE_S) for size in SIZES)
        least = min(least, math.log(long / short) / math.log(SIZES[1] / SIZES[0]))
        if least < POWER_MAX:
            break
    return least


def worst(work: Work, texts: Iterator[Callable[[int], str]]) -> float:
    """Return the power for the slowest text, or 0 if every text takes less than `HARMLESS_S`."""
    first, slowest = max(((_took_s(work, each(FIRST_LOOK)), each) for each in texts), key=lambda pair: pair[0])
    return power(work, slowest) if first > HARMLESS_S else 0.0


@pytest.mark.sampled(30)
@pytest.mark.parametrize(("place", "source", "work"), [pytest.param(*each, id=each[0]) for each in patterns()])
def test_no_regular_expression_takes_quadratic_time(place: str, source: str, work: Work) -> None:
    assert worst(work, hostile(source)) < POWER_MAX, place


@pytest.mark.sampled(4)
@pytest.mark.parametrize("reader", READERS)
def test_the_time_to_read_external_text_does_not_grow_quadratically(reader: str) -> None:
    texts = (partial(_repeated, piece) for piece in PIECES)

    assert max(power(READERS[reader], each) for each in texts) < POWER_MAX


def _repeated(piece: str, size: int) -> str:
    return piece * (size // len(piece))


def main() -> None:
    """Print the power of each pattern and reader."""
    for place, source, work in patterns():
        print(f"{worst(work, hostile(source)):.2f}  {place}")  # noqa: T201 - a table for people
    for reader, work in READERS.items():
        powers = {piece: power(work, partial(_repeated, piece)) for piece in PIECES}
        piece = max(powers, key=powers.__getitem__)
        print(f"{powers[piece]:.2f}  {reader} ({piece!r})")  # noqa: T201 - as above


if __name__ == "__main__":
    main()
