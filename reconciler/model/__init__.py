"""Frozen data that every other package uses. This package imports no other package of reconciler."""
