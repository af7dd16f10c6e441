"""The links, mentions and images that GitHub makes of the text between two tags or comments of a page.

No library implements this part of GitHub: cmark-gfm renders the page, and GitHub then processes its texts. See
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
"""Everything that GitHub might turn into a reference, and more."""
