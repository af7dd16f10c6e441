"""What Git makes of a file's bytes when it checks the file out, undone.

`core.autocrlf`, and the attributes `text`, `eol`, `ident` and `working-tree-encoding` (gitattributes), let one commit
stand in two working trees with different bytes. What we compare, or check a digest of, is what was committed.
"""

from __future__ import annotations

import codecs
import re

_ENCODINGS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""By the mark that a file begins with; that of UTF-32 begins with that of UTF-16, so it comes first."""
_IDENT = re.compile(rb"\$Id: [0-9a-f]{40,64} \$")


def as_committed(data: bytes) -> bytes:
    """Return a text file's bytes as Git stores them: UTF-8, lines that end with a line feed, no `$Id$` filled in."""
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            try:
                data = data.decode(encoding).encode()
            except UnicodeError:
                return data
            break
    return _IDENT.sub(b"$Id$", data.replace(b"\r\n", b"\n"))
