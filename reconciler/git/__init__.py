"""Git as a source of specs, a store of statuses, and a record of approvals."""
