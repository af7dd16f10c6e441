"""The records that the other packages share. This package imports no other package of reconciler."""
