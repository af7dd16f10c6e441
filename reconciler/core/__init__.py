"""The decisions: pure functions over the model, without I/O, clock, randomness, logging or event loop."""
