"""What this machine holds: specs, statuses, the state directory, credentials, and the clock."""
