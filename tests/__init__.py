"""The tests.

They keep compiled modules, even where an image sets `PYTHONDONTWRITEBYTECODE`: otherwise each worker, and each
interpreter that a test starts, compiles every module again.
"""

from __future__ import annotations

import os
import sys

sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
