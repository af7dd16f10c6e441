"""Keep the statuses that this pass would overwrite although another spec still needs them (`core.displaced`).

Rules: a copy is on the disk before the status is overwritten. If a copy cannot be written, the spec that would
overwrite the status is skipped in this pass. The names of running workers are left out, because this pass does not
write their statuses.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from reconciler.controller.desired_specs import DesiredSpecs
from reconciler.controller.per_spec import TAKES_NAME
from reconciler.controller.runtime import Runtime
from reconciler.controller.unread_statuses import unknown_status
from reconciler.core.displaced import Displaced, displaced
from reconciler.model.status import JobStatus

_NO_NAME = "specs use every name under which the earlier status could be kept"


def keep_displaced(
    desired: DesiredSpecs, busy: Collection[str], runtime: Runtime
) -> tuple[DesiredSpecs, tuple[str, ...]]:
    """Write the copies. Return the revision without the specs to skip, and the errors.

    `busy` are the names of the specs that running workers handle. In a dry run, nothing is written.
    """
    if runtime.control is None:
        return desired, ()
    moved = desired.chosen_having(TAKES_NAME)
    own = [each.claim(key) for key in moved if (each := desired.specs[key]).name not in busy]
    found = displaced(own, desired.resolved.claims, desired.stored.jobs) if own else ()
    failed = {each.key: why for each in found if (why := _keep(each, runtime)) is not None}
    if not failed:
        return desired, ()
    now = runtime.clock.now().replace(microsecond=0)
    skipped: dict[int, JobStatus] = {}
    errors = []
    for key, why in failed.items():
        skipped[key] = unknown_status(desired.specs[key], why, now)
        errors.append(
            f"{desired.specs[key].name}: the status of another job has this name and could not be kept, so the spec is "
            f"skipped: {why}"
        )
    return replace(desired, unknown={**desired.unknown, **skipped}), tuple(errors)


def _keep(found: Displaced, runtime: Runtime) -> str | None:
    """Write a copy, and return why that is impossible, or None."""
    if found.copy is None:
        return _NO_NAME
    try:
        runtime.statuses.write(found.copy, durable=True)
    except OSError as error:
        return error.strerror or str(error)
    return None
