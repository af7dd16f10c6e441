"""A world of jobs with rules of its own, and the OpenAI-shaped HTTP API over it."""
