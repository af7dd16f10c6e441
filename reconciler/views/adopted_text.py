"""The spec that `adopt` writes for a job that had none, and what it says it did."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from reconciler.model.spec import API_VERSION, DesiredState
from reconciler.views.canvas import Canvas, listing, styled
from reconciler.views.wording import clean, count

LISTED_MAX = 40

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")


def adopted_spec(name: str, provider: str, job_id: str) -> str:
    """Return the YAML of a spec that only observes a job."""
    return (
        "# Adopted: the job was there without a spec. `observed` changes nothing; say another state to take charge.\n"
        f"apiVersion: {API_VERSION}\n"
        "kind: FineTuningJob\n"
        "metadata:\n"
        f"  name: {name}\n"
        "spec:\n"
        f"  provider: {_scalar(provider)}\n"
        f"  jobId: {_scalar(job_id)}\n"
        f"  desiredState: {DesiredState.OBSERVED}\n"
    )


def adopted_text(files: Sequence[tuple[str, str]], canvas: Canvas, *, is_dry: bool) -> str:
    """Return what was written, or would be: each file, and the phase of its job."""
    if not files:
        return canvas.render([styled("Every job has a spec: there is nothing to adopt.", "bold")])
    lines = [(styled(file), styled(phase, "dim")) for file, phase in files[:LISTED_MAX]]
    more = [styled(f"and {len(files) - LISTED_MAX:,} more", "dim")] if len(files) > LISTED_MAX else []
    did = "Would write" if is_dry else "Wrote"
    last = styled(f"{did} {count(len(files), 'spec')}. They are `observed`: nothing is asked for their jobs.", "bold")
    return canvas.render([listing(lines, indent=0), *more, last])


def _scalar(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else json.dumps(clean(text))
