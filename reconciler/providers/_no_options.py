"""The model of the options for provider types without options."""

from __future__ import annotations

from reconciler.plugin import Document


class NoOptions(Document):
    """An empty set of options: any option is an error."""
