"""The judge: compares the promises of the documentation with the received requests and the files."""
