"""Hostile texts for specs: they are expensive to process, or look like something other than text."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from tests.support.hostile_repository import COMMONS, COMMONS_ACCOUNT, PROVIDER
from tests.support.hostile_trees import NOBODYS, SETTINGS, TEXT_MAX, Author

SMUGGLED = (
    "\x1b[2J\x1b[H",
    "::error::pwned",
    "::set-output name=x::y",
    "##[group]",
    "[x](http://evil.example)",
    "<img src=x onerror=alert(1)>",
    "@acme/web #1 GH-3",
    "\u202e\u2066",
    "\x00\x07\x08",
    "]]>",
    "${{ secrets.KEY }}",
    "{{constructor}}",
    "\r\nX: y",
    "%0a::warning::x",
    "| a | b |",
    "```",
)
PIECES = (
    "\t",
    "\r",
    "\x00",
    "\x1b[31m",
    "é",
    "{",
    "}",
    "[",
    "*a",
    "&a ",
    "!!str ",
    "<<: *a",
    "|",
    ">",
    "# ",
    ": ",
    "\n",
    '"',
)


def _nested(author: Author) -> None:
    # A few texts are almost as large as a spec file may be.
    size = 900_000 if author.random.random() < 0.02 else author.random.randrange(TEXT_MAX)
    depth = author.random.choice([5, 95, 99, 5000])
    opening, closing, item = author.random.choice([("[", "]", "1,"), ("{a: ", "}", "k: ,"), ("- ", "", "x ")])
    author.write(opening * depth + item * (size // len(item)) + closing * depth)


def _aliases(author: Author) -> None:
    levels = author.random.randrange(2, 60)
    author.write("a0: &a0 lol\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, levels)))


def _many(author: Author) -> None:
    line = author.pick("  k%d: 1\n", "  - %d\n", "k%d: x\n", "---\n# %d\n", "kind: x%d\n", "- !!x %d\n")
    author.write("spec:\n" + "".join(line.replace("%d", str(n)) for n in range(TEXT_MAX // 20)))


def _globs(author: Author) -> None:
    stars = author.pick("**/", "*", "**/**/", "a*/", "?*", "[a-z]*/") * author.random.randrange(1, 60)
    more = f", allowedPaths: ['{stars}x', 'commons/**'], options: {{project: {author.new_name()}}}"
    author.want(author.declare(COMMONS_ACCOUNT.format(host=author.repository.provider.host, more=more)), NOBODYS)
    author.write("x", "/".join("abcdefghijk") + "/x.txt")


def _numbers(author: Author) -> None:
    number = author.pick("1e-9", "1e999", "-1", "9" * 5000, ".inf", ".nan", "0x1p-99", "36500d", "1e9999h", "0")
    spec = author.pick("{type: openai, rateLimit: {requestsPerSecond: N}}", "{type: openai, rateLimit: {burst: N}}")
    author.want(author.declare(spec.replace("N", number)), NOBODYS, "observed")
    author.want("commons", COMMONS[3], "observed", more=f"limits: {{maxRuntime: {number}}}")


def _smuggled(author: Author) -> None:
    text = json.dumps("".join(author.random.choices(SMUGGLED, k=3)))
    author.want("commons", NOBODYS, "observed", more=author.pick(f"reason: {text}", f"labels: {{{text}: {text}}}"))
    author.write(f"apiVersion: jobs.reconciler/v1\nkind: {text}\nmetadata: {{name: {text}}}\n")


def _code(author: Author) -> None:
    command = json.dumps(author.repository.command)
    tags = ("python/object/apply:os.system", "python/name:os.system", "python/module:os", "python/object/new:os.system")
    author.write(f"a: !!{author.pick(*tags)} [{command}]\nb: !<tag:yaml.org,2002:{author.pick(*tags)}> [{command}]\n")
    author.declare(f"{{type: '{author.pick('os.system', 'reconciler.cli:main', '../x', '__main__')}'}}")


def _bytes(author: Author) -> None:
    author.write(author.random.randbytes(author.random.randrange(400)))


def _spoiled(author: Author) -> None:
    text = author.random.choice([PROVIDER, SETTINGS]).format(name=author.new_name(), spec="{type: openai}")
    text = text.replace("Settings", "Set")
    for _ in range(author.random.randrange(1, 5)):
        at = author.random.randrange(len(text))
        text = text[:at] + author.random.choice(PIECES) + text[at + author.random.randrange(4) :]
    author.write(text)


TEXTS: Mapping[str, Callable[[Author], None]] = {
    "nested text": _nested,
    "aliases of aliases": _aliases,
    "many lines of one form": _many,
    "globs": _globs,
    "absurd numbers": _numbers,
    "text for a terminal, a log or a page": _smuggled,
    "YAML tags that would run code": _code,
    "any bytes": _bytes,
    "a spoiled document": _spoiled,
}
