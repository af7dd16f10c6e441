"""The HTTP port of a running watch: health, readiness and metrics."""
