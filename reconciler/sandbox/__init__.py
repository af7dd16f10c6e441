"""The sandbox: a simulated provider with jobs and faults, and an HTTP API like OpenAI's on top of it."""
