"""A second opinion on `reconcile`: another world, another user and another judge, written from the user documents.

Nothing here imports the product. It drives the installed command as a process against a loopback server that speaks
OpenAI's fine-tuning API, and judges it by what the server received, what the files say, and what the documents promise.
"""
