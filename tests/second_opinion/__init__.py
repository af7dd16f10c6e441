"""A second test system for `reconcile`: an independent world, user and judge, written from the user documentation.

It does not import the product. It runs the installed command as a process with a loopback server that implements
OpenAI's fine-tuning API. It judges the command by the requests that the server received, by the files, and by the
promises of the documentation.
"""
