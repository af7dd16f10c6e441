"""The judge: what the documents promise, checked against what the world received and what the files say."""
