"""How a running watch is asked from outside, over HTTP."""
