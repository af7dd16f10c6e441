"""Make a Git repository the truth about LLM fine-tuning jobs."""
