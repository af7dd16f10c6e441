"""Views: pure functions that render a report as text, JSON, Markdown or XML.

No view reads a clock, a terminal or the environment: the time and the width are arguments. Text from a spec or a
provider is cleaned (`text.clean`) or escaped before it can reach a terminal.
"""
