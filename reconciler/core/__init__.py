"""Decisions as pure functions over the model, without I/O, clock, randomness, logging or an event loop."""
