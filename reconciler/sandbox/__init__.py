"""The embedded provider: a world with rules, and the OpenAI-shaped HTTP API over it."""
