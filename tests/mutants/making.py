"""`python -m tests.mutants.making`: create the mutants in the working directory, as `mutmut run` does.

This is a separate process, because mutmut reads its settings from the working directory when it is imported.
"""

from __future__ import annotations

from pathlib import Path

from mutmut.__main__ import create_mutants
from mutmut.utils.file_utils import copy_src_dir

CHILDREN = 2

if __name__ == "__main__":
    Path("mutants").mkdir()
    copy_src_dir()
    create_mutants(CHILDREN)
