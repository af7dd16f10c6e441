"""What the watch reports to other systems: log, metrics, audit log, heartbeat."""
