"""A third-party provider type: the sandbox, with outages that a file enables."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from reconciler.plugin import AccountConfig, Credentials, JobController, JobRef, ObservedJob, Transport
from reconciler.providers.sandbox import SandboxType

OUTAGE_FILE = "OUTAGE_FILE"
"""The environment variable with the path of the file. It holds `none`, `hang` (each retrieve waits), or `block` (each
retrieve blocks the event loop)."""
_STEP_S = 0.1


class _OutageJobs:
    def __init__(self, inner: JobController, file: Path) -> None:
        self._inner = inner
        self._file = file
        self.list_page = inner.list_page
        self.cancel_job = inner.cancel_job

    async def get_job(self, ref: JobRef) -> ObservedJob | None:
        """Return what the sandbox returns for a job, once the file contains `none`."""
        while (outage := self._file.read_text(encoding="utf-8")) != "none":
            if outage == "block":
                time.sleep(_STEP_S)  # noqa: ASYNC251 - the error that this plugin simulates
            else:
                await asyncio.sleep(_STEP_S)
        return await self._inner.get_job(ref)


class OutageType(SandboxType):
    """The sandbox type under another name, whose retrieves can hang or block."""

    name = "outage"

    @asynccontextmanager
    async def open(  # type: ignore[override]  # it opens a different controller from its base class
        self, config: AccountConfig, transport: Transport, credentials: Credentials
    ) -> AsyncIterator[JobController]:
        """Open the sandbox, with outages before each retrieve."""
        async with super().open(config, transport, credentials) as inner:
            yield _OutageJobs(inner, Path(os.environ[OUTAGE_FILE]))


OUTAGE = OutageType()


def install(site: Path) -> None:
    """Create a directory that installs this provider type for a `Checkout` that has it in `plugins`."""
    facts = site / "outage-1.0.dist-info"
    facts.mkdir(parents=True)
    (facts / "METADATA").write_text("Metadata-Version: 2.1\nName: outage\nVersion: 1.0\n", encoding="utf-8")
    entry = f"[reconciler.providers]\noutage = {__name__}:OUTAGE\n"
    (facts / "entry_points.txt").write_text(entry, encoding="utf-8")
