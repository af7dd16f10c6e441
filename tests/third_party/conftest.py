from __future__ import annotations

collect_ignore = ["fireworks"]
"""This is a separate project: its tests run where it is installed."""
