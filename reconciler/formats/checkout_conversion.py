"""Undo the conversions that Git applies to a file when it checks the file out.

Because of `core.autocrlf` and the attributes `text`, `eol`, `ident` and `working-tree-encoding` (gitattributes), a
committed file can have different bytes in two working trees. Digests and comparisons use the committed bytes.
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
"""Encodings by byte order mark. UTF-32 comes first, because its little-endian mark starts with that of UTF-16."""
_IDENT = re.compile(rb"\$Id: [0-9a-f]{40,64} \$")


def as_committed(data: bytes) -> bytes:
    """Return the bytes of a text file as Git stores them: in UTF-8, with line feeds, and with `$Id$` without its value.

    If the file begins with a byte order mark of UTF-16 or UTF-32 but cannot be decoded, its bytes are returned
    unchanged.
    """
    for mark, encoding in _ENCODINGS:
        if data.startswith(mark):
            try:
                data = data.decode(encoding).encode()
            except UnicodeError:
                return data
            break
    return _IDENT.sub(b"$Id$", data.replace(b"\r\n", b"\n"))
