"""The cost of external texts other than specs: a provider's responses, globs, and commit messages.

Each text is read as the product reads it, including earlier steps: secrets are removed from a response first, and Git
reads a commit from a repository.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from reconciler.core import globs
from reconciler.errors import ProviderError
from reconciler.git.approvals import ReadApprovals
from reconciler.git.commits import SIZE_MAX
from reconciler.git.discovery import find_repository
from reconciler.local.credentials import EnvCredentials
from reconciler.model.job import Account, JobRef, ListQuery
from reconciler.ports import Snapshot
from reconciler.providers._openai import OPENAI_JOBS, OpenAIJobs
from reconciler.redaction import KNOWN_SECRETS
from tests.support import git_objects
from tests.support.canned_transport import CannedTransport, answer

Shape = tuple[Callable[[str], None], Callable[[int], str], Sequence[int]]
SECRET = "canary-Vq81LmT4cWdZx93"  # noqa: S105 - a canary
REF = JobRef(Account("openai", "https://api.example.org/v1"), "ftjob-0")
ANSWERS = tuple(2**22 // part for part in (8, 4, 2, 1))
REDACTED = tuple(each // 4 for each in ANSWERS)
"""The sizes of texts with many secrets to redact."""
GLOBS = tuple(2**19 // part for part in (8, 4, 2, 1))
NAMES = tuple(each // 16 for each in GLOBS)
"""The sizes of globs with many stars in a name. A compiled pattern may use 100 bytes for each of their characters."""
MESSAGES = tuple((SIZE_MAX - 1024) // part for part in (8, 4, 2, 1))
HISTORIES = tuple(2**17 // part for part in (8, 4, 2, 1))
ADA = b"Ada <ada@example.org>"


def _listed(text: str) -> None:
    _answered(text, 200, lambda jobs: jobs.list_page(ListQuery(page_size=100), None))


def _refused(text: str) -> None:
    _answered(text, 404, lambda jobs: jobs.get_job(REF))


def _answered(text: str, status: int, ask: Callable[[OpenAIJobs], object]) -> None:
    KNOWN_SECRETS.add("a test", SECRET)
    shown = KNOWN_SECRETS.redact(text).encode()

    async def asked() -> None:
        transport = CannedTransport([answer(shown, status)])
        await ask(OpenAIJobs(transport, EnvCredentials("KEY", {"KEY": "k"}), OPENAI_JOBS))  # type: ignore[misc]

    with suppress(ProviderError):
        asyncio.run(asked())


def _rows(size: int, **more: str) -> str:
    row = json.dumps({"id": "ftjob-0", "status": "running", "created_at": 1_700_000_000, **more})
    return f'{{"object": "list", "has_more": false, "data": [{", ".join([row] * (size // len(row)))}]}}'


def _message(piece: str, size: int) -> str:
    return json.dumps({"error": {"message": piece * (size // len(piece)), "code": piece * (size // len(piece) // 8)}})


def _matched(text: str) -> None:
    globs.compiled.cache_clear()
    glob, _, file = text.partition(" ")
    globs.matches(file, glob)


def _committed(text: str) -> None:
    """Read the approvals in the commit messages of a repository."""
    with tempfile.TemporaryDirectory() as directory:
        specs = Path(directory) / "specs"
        specs.mkdir()
        subprocess.run(["git", "-C", directory, "init", "--quiet", "--initial-branch=main"], check=True)
        git_dir = Path(directory) / ".git"
        when, parent = f"{int(time.time())} +0000".encode(), None
        for number, message in enumerate(text.split("\0")):
            blob = git_objects.write(git_dir, "blob", b"%d\n" % number)
            tree = git_objects.write_tree(git_dir, {b"specs/x.yaml": (git_objects.FILE, blob)})
            parent = git_objects.write_commit(git_dir, tree, parent, message.encode(), ADA, when)
        found = find_repository(specs)
        assert found is not None
        assert parent is not None
        ReadApprovals(found.git, "specs", "specs/status", lambda: datetime.now(UTC)).at(parent, Snapshot())


LINE = "Approve-Cancels: 1\n"
FOREIGN: Mapping[str, Shape] = {
    "answer: rows": (_listed, _rows, ANSWERS),
    "answer: rows with a key": (_listed, partial(_rows, model=SECRET), REDACTED),
    "answer: rows with escapes": (_listed, partial(_rows, model="\u0416%25&amp;" * 4), REDACTED),
    "answer: lists in lists": (_listed, lambda size: "[" * (size // 2) + "]" * (size // 2), ANSWERS),
    "answer: addresses": (_refused, partial(_message, "http://"), ANSWERS),
    "answer: addresses with queries": (_refused, partial(_message, "http://a?b "), ANSWERS),
    "answer: escapes": (_refused, partial(_message, "%25%2541&#38;"), REDACTED),
    "glob: many stars": (_matched, lambda size: f"{'**/a/' * (size // 5)} {'a/' * 32}a", GLOBS),
    "glob: stars in a name": (_matched, lambda size: f"{'*a' * (size // 2)} {'a' * 200}", NAMES),
    "glob: a long path": (_matched, lambda size: f"**/a*a/**/**/*a*b/**/? {'a/' * (size // 2)}", GLOBS),
    "commit: a long message": (_committed, lambda size: "x" * size, MESSAGES),
    "commit: many approvals": (_committed, lambda size: LINE * (size // len(LINE)), MESSAGES),
    "commit: half approvals": (_committed, lambda size: "Approve-Cancels:" + " " * size, MESSAGES),
    "commits: a long history": (
        _committed,
        lambda size: "\0".join([f"{'x' * 180}\n{LINE}"] * (size // 200)),
        HISTORIES,
    ),
}
"""For each kind of text: the function that reads it, the function that creates it, and its sizes."""
