"""The spec that `adopt` writes for a job that had none, and what it says it did."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.model.job import ObservedJob
from reconciler.model.kind import FINE_TUNING
from reconciler.model.spec import API_VERSION, DesiredState
from reconciler.views.layout import listing, styled
from reconciler.views.render_context import RenderContext
from reconciler.views.text import clean, count, moment

LISTED_MAX = 40

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def adopted_spec(name: str, provider: str, job: ObservedJob, now: datetime) -> str:
    """Return the YAML of a spec that only observes a job. Its first line tells a reviewer what job that is."""
    model = [clean(job.model)] if isinstance(job.model, str) else []
    created = [f"created {moment(job.created_at)}"] if isinstance(job.created_at, datetime) else []
    facts = ", ".join([*model, *created, f"{job.phase} when adopted on {now.astimezone(UTC):%Y-%m-%d}"])
    return (
        f"# {facts}\n"
        f"apiVersion: {API_VERSION}\n"
        f"kind: {FINE_TUNING.name}\n"
        "metadata:\n"
        f"  name: {name}\n"
        "spec:\n"
        f"  provider: {_scalar(provider)}\n"
        f"  jobId: {_scalar(job.id)}\n"
        f"  desiredState: {DesiredState.OBSERVED}\n"
    )


@dataclass(frozen=True, slots=True)
class AdoptedSpecs:
    """What `adopt` wrote, or would write."""

    files: Sequence[tuple[str, str]]
    """Each file, and the phase of its job."""
    is_dry: bool
    is_whole: bool
    """Whether every account could be listed."""


def adopted_text(adopted: AdoptedSpecs, context: RenderContext) -> str:
    """Return each file, and the phase of its job."""
    files, canvas = adopted.files, context.canvas
    if not files:
        calm = "Every job has a spec: there is nothing to adopt." if adopted.is_whole else "Nothing was adopted."
        return canvas.render([styled(calm, "bold")])
    lines = [(styled(file), styled(phase, "dim")) for file, phase in files[:LISTED_MAX]]
    more = [styled(f"and {len(files) - LISTED_MAX:,} more", "dim")] if len(files) > LISTED_MAX else []
    did = "Would write" if adopted.is_dry else "Wrote"
    last = styled(f"{did} {count(len(files), 'spec')}. They are `observed`: nothing is asked for their jobs.", "bold")
    return canvas.render([listing(lines, indent=0), *more, last])


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(clean(text))
