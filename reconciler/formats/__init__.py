"""Parsers and writers of the file formats: YAML, specs, statuses, pinned plans. Pure."""
