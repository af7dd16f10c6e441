"""Text in, values out, and back: YAML, specs, statuses, pinned plans. Pure."""
