from __future__ import annotations

collect_ignore = ["replicate"]
"""This is a separate project: its tests run where it is installed."""
