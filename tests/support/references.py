"""What GitHub makes links, notices and pictures of, in the text between two tags or comments of a page.

No library does this part of GitHub: cmark-gfm renders, and GitHub then goes through the texts of the page. By
https://docs.github.com/get-started/writing-on-github/working-with-advanced-formatting/autolinked-references-and-urls.
"""

from __future__ import annotations

import re

BREAK = "<!-- -->"
REFERENCES = re.compile(
    r"""(?ix)
      \#\d | \bgh-\d | @\w | \b[0-9a-f]{7,40}\b | :[\w+-]+: | \w+://\S | \bwww\.\S | \$\S.*\$ | (?-i:[A-Z]+-\d+)
    """
)
"""Whatever GitHub might take for a reference in one piece of text, and more."""
