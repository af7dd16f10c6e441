"""How things are shown: pure functions to text."""
