from __future__ import annotations

collect_ignore = ["fireworks"]
"""A project of its own: its tests run where it is installed."""
