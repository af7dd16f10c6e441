"""The resources of this machine: specs, statuses, the state directory, credentials, and the clock."""
