"""The Protocols: what the loop needs of the world, and what a provider is given.

Whoever implements one of these raises `Transient` or `Permanent` for a provider's failure, `OSError` for a disk's,
and nothing else on purpose.
"""

from reconciler.ports.provider import (
    AccountConfig,
    Credentials,
    JobController,
    JobReader,
    Now,
    ProviderType,
    Rate,
    Response,
    Sign,
    SupportsCheckpoints,
    SupportsEvents,
    SupportsPause,
    Transport,
)
from reconciler.ports.system import (
    BrokenJob,
    Clock,
    D,
    Disk,
    Entry,
    Located,
    Publisher,
    Snapshot,
    SpecSource,
    StatusStore,
    StoredStatuses,
    Waker,
)

__all__ = [
    "AccountConfig",
    "BrokenJob",
    "Clock",
    "Credentials",
    "D",
    "Disk",
    "Entry",
    "JobController",
    "JobReader",
    "Located",
    "Now",
    "ProviderType",
    "Publisher",
    "Rate",
    "Response",
    "Sign",
    "Snapshot",
    "SpecSource",
    "StatusStore",
    "StoredStatuses",
    "SupportsCheckpoints",
    "SupportsEvents",
    "SupportsPause",
    "Transport",
    "Waker",
]
