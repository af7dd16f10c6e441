"""Keep LLM fine-tuning jobs in the states that a Git repository declares."""
