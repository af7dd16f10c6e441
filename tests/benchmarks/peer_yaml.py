"""`python peer_yaml.py SPECS`: read every spec with PyYAML's C loader, as tools with YAML input do."""

from __future__ import annotations

import sys
from pathlib import Path

import yaml


def main() -> None:
    """Read every spec once."""
    found = {}
    for path in sorted(Path(sys.argv[1]).glob("*.yaml")):
        with path.open(encoding="utf-8") as file:
            found[path.name] = yaml.load(file, Loader=yaml.CSafeLoader)
    assert found


if __name__ == "__main__":
    main()
