"""Parsers and writers for the file formats: YAML, specs, statuses, pinned plans. Pure."""
