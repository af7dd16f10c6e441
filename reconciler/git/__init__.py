"""Git as a source of specs, a place for statuses, and a record of who approved what."""
