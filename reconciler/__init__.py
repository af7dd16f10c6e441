"""Keep the LLM jobs of providers (fine-tuning and batches) in the states that a Git repository declares."""
