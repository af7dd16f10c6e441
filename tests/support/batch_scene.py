"""One batch at a simulated service of one type, with a clock that a test advances, and a checkout with its spec.

The batch follows its declared life at the service's clock. A test may also change each JSON response, for words that
the sandbox does not have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.controller.run_options import Paths, Selection
from reconciler.model.job import Phase
from reconciler.model.status import JobStatus
from reconciler.sandbox.app import create_app
from reconciler.sandbox.config import SandboxOptions
from reconciler.sandbox.world import BatchWorld
from reconciler.testing.transport_faults import response_of
from reconciler.views.job_page import job_page
from reconciler.views.page_layout import Frame
from reconciler.views.watch_view import watch_view
from reconciler.wiring import read_statuses
from tests.contract.batch_harness import BatchService
from tests.support.both_kinds import BATCH
from tests.support.cli import Checkout, Ran
from tests.support.page_scene import MONOTONIC, a_watch
from tests.support.sandbox_server import serve
from tests.support.service_endpoints import PROVIDER

BATCH_ID = f"batch_{Phase.RUNNING}"
SECRET = "canary-key-of-the-batch"  # noqa: S105 - a canary
Edit = Callable[[str, Any], Any]
"""A function that returns the JSON to respond with, from the path of the request and the service's own JSON."""


@dataclass
class BatchScene:
    """A batch, its service and its checkout."""

    service: BatchService
    checkout: Checkout
    world: BatchWorld
    ahead: timedelta = timedelta(0)
    """How far the service's clock is ahead of real time."""
    ahead_at_cancel: timedelta = timedelta(0)
    """How far the service's clock is advanced when a cancel arrives, before the cancel is handled."""
    edit: Edit = lambda _, body: body
    app: ASGIApp | None = None
    requests: list[str] = field(default_factory=list)
    """The method and path of each request, in order."""

    def now(self) -> datetime:
        """Return the service's time."""
        return datetime.now(UTC) + self.ahead

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Record a request, and respond with the JSON that `edit` returns."""
        assert self.app is not None
        self.requests.append(f"{scope['method']} {scope['path']}")
        if scope["method"] == "POST":
            self.ahead += self.ahead_at_cancel
        response = await response_of(self.app, scope, receive)
        try:
            body = json.dumps(self.edit(scope["path"], json.loads(response.body))).encode()
        except ValueError:
            body = response.body
        await replace(response, body=body).send(send)

    @property
    def cancels(self) -> int:
        """The number of cancel requests, including refused ones."""
        return sum(each.startswith("POST") for each in self.requests)

    def want(self, state: str) -> None:
        """Write the spec of the batch with this desired state."""
        job_id = json.dumps(self.service.id_of(Phase.RUNNING))
        text = BATCH.format(name="nightly", provider="main", job_id=job_id, state=state)
        self.checkout.write("nightly.yaml", f"{text}  reason: wrong prompt\n")

    def run(self, *arguments: str) -> Ran:
        """Run one command in the checkout."""
        return self.checkout.run(*arguments)

    def described(self) -> str:
        """Return what `describe` shows about the batch."""
        ran = self.run("describe", "nightly")
        assert ran.code in (0, 1), ran.err
        return ran.out

    def page(self) -> str:
        """Return the plan as Markdown, as in the comment on a pull request."""
        return self.run("plan", "-o", "markdown").out

    def web_page(self) -> str:
        """Return the text of the batch's page in a watch whose last pass wrote the current status, in one line."""
        report = read_statuses(Paths(self.checkout.specs, self.checkout.status_dir), Selection())
        frame = Frame(datetime.now(UTC), MONOTONIC, "1-7-000", "/page.css", "/page.js")
        html = job_page("nightly", watch_view(a_watch(list(report.rows))), frame)
        return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())

    def status(self) -> JobStatus:
        """Return the parsed status of the batch."""
        return self.checkout.status("nightly")

    def status_text(self) -> str:
        """Return the text of the batch's status file."""
        return (self.checkout.status_dir / "nightly.yaml").read_text(encoding="utf-8")


@contextmanager
def batch_scene(root: Path, service: BatchService, *, edit: Edit | None = None, **batch: Any) -> Iterator[BatchScene]:
    """Serve a batch that is 30 minutes old and runs for five hours. `batch` replaces fields of its declaration."""
    row = {
        "id": BATCH_ID,
        "age": "30m",
        "life": [{"phase": "running", "for": "5h"}, {"phase": "succeeded"}],
        "cancelTakes": "0s",
        **batch,
    }
    world = BatchWorld(SandboxOptions.model_validate({"batches": [row]}), datetime.now(UTC))
    scene = BatchScene(service, Checkout(root), world)
    if edit is not None:
        scene.edit = edit
    scene.app = service.front(create_app(world, scene.now, api_key=SECRET), SECRET)
    with serve(scene) as url:
        base_url = url.removesuffix("/v1") + service.path
        key = f"{service.access_key}:{SECRET}" if service.access_key else SECRET
        scene.checkout = Checkout(root, {"KEY": key, "RECONCILE_TRUST": f"KEY={urlsplit(base_url).netloc}"})
        options = json.dumps(dict(service.options))
        scene.checkout.write(
            "main.yaml",
            PROVIDER.format(name="main", type=service.type, url=base_url, variable="KEY", options=options),
        )
        yield scene
