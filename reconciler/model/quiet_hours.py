"""Quiet hours of a sink, in which less urgent notifications are held."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.model.change_window import ChangeWindow
from reconciler.model.notification import NotificationSeverity


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The quiet hours of one sink, with their time zone."""

    window: ChangeWindow
    """The hours, as a window that denies."""
    at_once: frozenset[NotificationSeverity]
    """The severities of notifications that are sent within the hours too."""
