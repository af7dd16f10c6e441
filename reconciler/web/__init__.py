"""The HTTP port of a running watch: its read-only page, health, readiness and metrics."""
