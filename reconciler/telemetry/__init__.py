"""Reports of a watch to other systems: the log, metrics, the audit log and a heartbeat."""
