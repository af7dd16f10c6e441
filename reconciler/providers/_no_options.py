"""The options of provider types that have none."""

from __future__ import annotations

from reconciler.plugin import Document


class NoOptions(Document):
    """An empty set of options: any option is an error."""
