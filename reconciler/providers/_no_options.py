"""The options of provider types that have none."""

from __future__ import annotations

from reconciler.plugin import Document


class NoOptions(Document):
    """A provider type without options."""
