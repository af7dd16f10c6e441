"""Random hostile commits: their messages, authors, dates, headers and trees."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

from tests.support.git_objects import FILE, LINK, MODULE, Tree, write
from tests.support.hostile_repository import BATCH, HostileRepository


@dataclass(frozen=True, slots=True)
class Message:
    """A commit without its changes. Bytes are written to the object unchanged."""

    text: bytes
    author: bytes = b"Mallory <mallory@example.org>"
    date: bytes = b""
    more: bytes = b""


@dataclass(frozen=True, slots=True)
class Aim:
    """The goal of a message: to approve the batch of another commit, or to change a file."""

    repository: HostileRepository
    batch: str

    def records(self, random: Random) -> bytes:
        """Return text that a careless parser would mistake for a record of Git."""
        sha, now = self.batch.encode(), str(random.choice([2**31, 2**33, 9_999_999_999])).encode()
        field, record = random.choice([(b"\x1f", b"\x1e"), (b"\x00", b"\x00\x00"), (b"\t", b"\n"), (b" ", b"\n")])
        line = b"Approve-Cancels: %d" % random.choice([BATCH, 50, 999_999])
        return record + field.join([sha, now, line]) + record

    def option(self, random: Random) -> bytes:
        """Return text that a careless caller would pass to Git as an option."""
        precious = bytes(random.choice([self.repository.outside / "precious", self.repository.root / "audit.jsonl"]))
        options = (
            b"--output=%b",
            b"--output-directory=%b",
            b"-O%b",
            b"--ext-diff",
            b"--upload-pack=touch %b",
            b"--exec=%b",
        )
        option = random.choice(options)
        return option % precious if b"%b" in option else option


LINES = (
    b"Add a job",
    b"Approve-Cancels: 1",
    b"Approve-Cancels: 50",
    b"Approve-Cancels: 999999",
    b"approve-cancels: 50",
    b" Approve-Cancels: 50",
    b"Approve-Cancels: -1",
    b"Approve-Cancels: 1e9",
    b"Approve-Cancels: " + b"9" * 400,
    b"Approve-Cancels: \xd9\xa5\xd9\xa0",
    b"Co-authored-by: reconcile <reconcile@localhost>",
    b"tree 0000000000000000000000000000000000000000",
    b"parent HEAD",
    b"\x1b[2J\x1b[H",
    b"\x08" * 40,
    b"::error::pwned",
    b"\xff\xfe\xc3\x28",
    b"#1 GH-3 @acme",
    b"x" * 20_000,
)
SEPARATORS = (
    b"\n",
    b"\n\n",
    b"\r\n",
    b"\x00",
    b"\x1e",
    b"\x1f",
    b"\x1c",
    b"\x0b",
    b"\x0c",
    b"\xe2\x80\xa8",
    b"\x85",
    b"",
)
AUTHORS = (
    b"Mallory <mallory@example.org>",
    b"Mallory <>",
    b"",
    b"<>",
    b"M <m",
    b"M > < m",
    b"reconcile <reconcile@localhost>",
    b"\x1b[2J\x1f\x07 <\x1f\x1e@\x08>",
    b"M\x00 <m@x>",
    b"x" * 5_000 + b" <x@example.org>",
    b"--output=x <-o@x>",
)
DATES = (
    b"",
    b"0 +0000",
    b"-1 +0000",
    b"4102444800 +0000",
    b"999999999999 +0000",
    b"9223372036854775807 +0000",
    b"99999999999999999999999 +0000",
    b"1 +9999999999",
    b"yesterday",
    b"1700000000",
    b"1700000000 UTC",
)
HEADERS = (
    b"encoding zip\n",
    b"encoding \xff\x1b[2J\n",
    b"encoding UTF-16\n",
    b"encoding latin-1\n",
    b"gpgsig -----BEGIN PGP SIGNATURE-----\n x\n",
    b"mergetag object 1\n",
    b"parent 12\n",
    b"x\n",
    b"author \n",
)


def _any(random: Random, aim: Aim) -> bytes:
    text = b""
    for _ in range(random.randrange(6)):
        text += random.choice([*LINES, aim.records(random), aim.option(random)]) + random.choice(SEPARATORS)
    return text


def _record(random: Random, aim: Aim) -> bytes:
    return b"Add one\n" + b"".join(aim.records(random) for _ in range(random.choice([1, 3]))) + b"\n"


def _option(random: Random, aim: Aim) -> bytes:
    record, field = random.choice([(b"\x1e", b"\x1f"), (b"\x00", b"\x00"), (b"\n", b" ")])
    return b"Add one\n" + record + field.join([aim.option(random), b"9999999999", b"Approve-Cancels: 1"]) + b"\n"


def _halved(random: Random, _: Aim) -> bytes:
    return b"Add one\n" + random.choice(
        [b"\x1eoops\x1f\n", b"\x1f<no number>\x1f\n", b"\x1e\x1f\x1e", b"\x00\x00", b"\x1e"]
    )


MESSAGES: Mapping[str, Callable[[Random, Aim], bytes]] = {
    "lines and separators": _any,
    "a forged record": _record,
    "an option for Git": _option,
    "half a record": _halved,
}
HIDDEN = (
    b"Tidy up\n",
    b"",
    b"Fix a typo\n\x00\nApprove-Cancels: 50\n",
    b"Fix a typo\n\nApprove-Cancels: 50\n\x1b[2J\x1b[H",
    b"Approve-Cancels: 50\n\x1b[1A\x1b[2KFix a typo\n",
    b"Fix a typo\n\nApprove-Cancels: 50\n" + b"\x08" * 30 + b"\n",
    b"Stop them\n\nApprove-Cancels: 3\n",
    b"Stop them\n\nApprove-Cancels:\n 50\n",
    b"Stop them\n\nApprove-Cancels: 50 \x0bx\n",
)
"""Messages of a commit that requests the batch. None of them approves it."""


def a_message(random: Random, kind: str, aim: Aim) -> Message:
    """Return a commit with a message of this kind, which may be hostile in other ways too."""
    return Message(
        MESSAGES[kind](random, aim),
        random.choice(AUTHORS) if random.random() < 0.4 else AUTHORS[0],
        random.choice(DATES) if random.random() < 0.4 else b"",
        random.choice(HEADERS) if random.random() < 0.3 else b"",
    )


NAMES = (
    b".git/config",
    b"../outside/precious",
    b"specs/../../x",
    b"specs/.git/HEAD",
    b"specs//x.yaml",
    b"specs/x\n.yaml",
)


def entries(random: Random, repository: HostileRepository) -> Tree:
    """Return tree entries that no checked-out directory could contain."""
    blob = write(repository.git_dir, "blob", repository.command.encode())
    made: Tree = {}
    for name in random.sample(NAMES, 2):
        mode = random.choice([FILE, LINK, MODULE, b"100666", b"0", b"40000", b"777777"])
        made[name] = (mode, random.choice([blob, "1" * 40]))
    return made
