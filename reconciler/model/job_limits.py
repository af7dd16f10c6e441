"""The limits in a spec, as they are written there."""

from __future__ import annotations

from pydantic import Field

from reconciler.model.document import Document
from reconciler.model.scalar import Duration, Instant


class Limits(Document):
    """Limits of an unfinished job. A job that exceeds a limit is cancelled, unless its desired state is `observed`."""

    max_age: Duration | None = Field(None, description="The maximum time since the provider created the job.")
    max_queued: Duration | None = Field(
        None, description="The maximum time since the provider created the job, if it has never started."
    )
    not_after: Instant | None = Field(None, description="The time by which the job must have ended.")
    warn_before: Duration | None = Field(
        None,
        description="How long before a limit cancels the job it is warned of, as LimitNear. A limit acts only that "
        "long after its warning. Default: that of Settings, otherwise no warning.",
    )
