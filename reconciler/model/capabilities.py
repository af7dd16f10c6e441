"""What a provider type declares about its jobs of one kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from reconciler.model.retirement import Retirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The capabilities of a provider for jobs of one kind. The provider type declares them, and they are not probed.

    A text is None if the provider documents nothing about it.
    """

    cancel_is_immediate: bool = False
    """Whether an accepted cancel has already taken effect. If False, it may take a while, and may fail."""
    confirms: bool = True
    """False if the provider reports `cancelling` as `cancelled`. A cancel is then confirmed only by an end time."""
    cancel_loses: str | None = None
    """The work that is lost when a job is cancelled."""
    cancel_keeps: str | None = None
    """The results that remain when a job is cancelled."""
    cancel_costs: str | None = None
    """What is charged for a cancelled job."""
    cancel_takes: timedelta | None = None
    """How long an accepted cancel may have no visible effect before it is repeated. None means ten minutes."""
    can_pause: bool = False
    """Whether jobs can be paused and resumed. The adapter then implements `SupportsPause`."""
    can_list_events: bool = False
    """Whether the log of a job can be read. The adapter then implements `SupportsEvents`."""
    can_list_checkpoints: bool = False
    """Whether the checkpoints of a job can be listed. The adapter then implements `SupportsCheckpoints`."""
    has_whole_rows: bool = False
    """Whether a list row contains every field of a retrieved job."""
    page_size_max: int = 20
    """The maximum number of rows on a page of a list."""
    list_order: str | None = None
    """The order of a list, if the provider guarantees it or the adapter requests it."""
    filters: tuple[str, ...] = ()
    """The filters that the provider supports for a list."""
    ends_on: str | None = None
    """The announced end of the service as text, with its source, if `retirements` cannot express it."""
    retirements: tuple[Retirement, ...] = ()
    """What the provider no longer offers, or will stop offering, for jobs of this kind."""
    can_list_model_ends: bool = False
    """Whether the provider reports when models are shut down. The adapter then implements `SupportsModelEnds`."""
