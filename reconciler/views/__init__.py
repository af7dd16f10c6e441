"""How it is shown: pure functions from a report to text and JSON.

No view reads a clock, a terminal or the environment: `now` and the width are passed in. Text that came from a spec or a
provider goes through `wording.clean` before it can reach a terminal.
"""
