"""What is decided: pure functions over the model, without I/O, clock, randomness, logging or asyncio."""
