"""The spec that `adopt` writes for an unmanaged job, and the text that `adopt` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from reconciler.model.job import ObservedJob
from reconciler.model.kind import JobKind
from reconciler.model.spec import API_VERSION, DesiredState
from reconciler.views.layout import listing, styled
from reconciler.views.read_lists import ReadList, bounds
from reconciler.views.render_context import RenderContext
from reconciler.views.text import clean, count, moment

LISTED_MAX = 40

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def adopted_spec(name: str, provider: str, kind: JobKind, job: ObservedJob, now: datetime) -> str:
    """Return the YAML of a spec with the desired state `observed`. Its first line is a comment about the job."""
    model = [clean(job.model)] if isinstance(job.model, str) else []
    created = [f"created {moment(job.created_at)}"] if isinstance(job.created_at, datetime) else []
    facts = ", ".join([*model, *created, f"{job.phase} when adopted on {now.astimezone(UTC):%Y-%m-%d}"])
    return (
        f"# {facts}\n"
        f"apiVersion: {API_VERSION}\n"
        f"kind: {kind.name}\n"
        "metadata:\n"
        f"  name: {name}\n"
        "spec:\n"
        f"  provider: {_scalar(provider)}\n"
        f"  jobId: {_scalar(job.id)}\n"
        f"  desiredState: {DesiredState.OBSERVED}\n"
    )


@dataclass(frozen=True, slots=True)
class AdoptedSpecs:
    """The specs that `adopt` wrote, or would write."""

    files: Sequence[tuple[str, str]]
    """Each file with the phase of its job."""
    is_dry: bool
    is_complete: bool
    """Whether every account could be listed."""
    lists: Sequence[ReadList] = ()
    """How far the lists were read."""


def adopted_text(adopted: AdoptedSpecs, context: RenderContext) -> str:
    """Return a line for each of the first `LISTED_MAX` files with the phase of its job, and the number of specs."""
    files, canvas = adopted.files, context.canvas
    if not files:
        nothing = "There is no unmanaged job to adopt." if adopted.is_complete else "Nothing was adopted."
        return canvas.render([*bounds(adopted.lists), styled(nothing, "bold")])
    lines = [(styled(file), styled(phase, "dim")) for file, phase in files[:LISTED_MAX]]
    more = [styled(f"and {len(files) - LISTED_MAX:,} more", "dim")] if len(files) > LISTED_MAX else []
    verb = "Would write" if adopted.is_dry else "Wrote"
    effect = "Their desired state is `observed`, so no change is requested for their jobs."
    summary = f"{verb} {count(len(files), 'spec')}. {effect}"
    last = styled(summary, "bold")
    return canvas.render([listing(lines, indent=0), *more, *bounds(adopted.lists), last])


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(clean(text))
