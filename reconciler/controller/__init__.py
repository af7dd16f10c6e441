"""What is done, in which order: effects through ports only."""
