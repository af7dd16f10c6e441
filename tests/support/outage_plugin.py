"""A third party's provider that stops answering whenever a file says so: the sandbox, and a mood."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reconciler.plugin import AccountConfig, Credentials, JobController, JobRef, ObservedJob, Transport
from reconciler.providers.sandbox import SandboxType

OUTAGE_FILE = "MOODY_FILE"
"""The variable with the path of the file. As long as it says so, each answer waits, and `block` blocks everything."""
_STEP_S = 0.1


class _OutageJobs:
    def __init__(self, inner: JobController, mood: Path) -> None:
        self._inner = inner
        self._mood = mood
        self.list_page = inner.list_page
        self.cancel_job = inner.cancel_job

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return a job, in time."""
        while (mood := self._mood.read_text(encoding="utf-8")) != "well":
            if mood == "block":
                time.sleep(_STEP_S)  # noqa: ASYNC251  this is the mistake that it makes
            else:
                await asyncio.sleep(_STEP_S)
        return await self._inner.get_job(ref)


class OutageType(SandboxType):
    """Everything that is true of it."""

    name = "moody"

    @asynccontextmanager
    async def open(  # type: ignore[override]  # it opens something else than its father does
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[JobController]:
        """Open the sandbox's world."""
        async with super().open(config, transport, credentials) as inner:
            yield _OutageJobs(inner, Path(os.environ[OUTAGE_FILE]))


OUTAGE = OutageType()


def install(site: Path) -> None:
    """Make a directory that, on PYTHONPATH, has this provider installed."""
    facts = site / "moody-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: moody\nVersion: 1.0\n", encoding="utf-8")
    entry = f"[reconciler.providers]\nmoody = {__name__}:MOODY\n"
    (facts / "entry_points.txt").write_text(entry, encoding="utf-8")
