"""What a run reports to other systems: the log, the audit log, metrics and a heartbeat."""
