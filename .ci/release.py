"""What a release takes from the repository: its version, its notes, and a README that reads the same on PyPI.

Run as `python3 -I .ci/release.py check TAG`, `notes TAG` or `readme OWNER/REPO TAG`; what is missing ends it with 1.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_PICTURE = re.compile(r"(!\[[^\]]*\]\()(?!https?:)([^)]+\))")
_LINK = re.compile(r"(?<!!)(\[[^\]]*\]\()(?!https?:|#)([^)]+\))")


def check(tag: str) -> None:
    """Refuse a tag that is not the version."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag}, and pyproject.toml says {version}")


def notes(tag: str, changelog: str) -> str:
    """Return what the changelog says of a version. Ends the program where it says nothing."""
    found = re.search(rf"^## \[{re.escape(tag[1:])}\].*\n((?:(?!## \[).*\n?)*)", changelog, re.MULTILINE)
    text = found[1].strip() if found else ""
    if not text:
        sys.exit(f"the changelog has no section for {tag}")
    return f"{text}\n"


def with_absolute_links(text: str, repository: str, tag: str) -> str:
    """Return Markdown whose links and pictures lead to this version's files at GitHub, from wherever it is shown."""
    text = _PICTURE.sub(rf"\1https://raw.githubusercontent.com/{repository}/{tag}/\2", text)
    return _LINK.sub(rf"\1https://github.com/{repository}/blob/{tag}/\2", text)


def main(command: str, *arguments: str) -> None:
    """Run one command."""
    if command == "check":
        check(*arguments)
    elif command == "notes":
        changelog = (ROOT / ".github" / "CHANGELOG.md").read_text(encoding="utf-8")
        sys.stdout.write(notes(*arguments, changelog))
    else:
        readme = ROOT / "README.md"
        readme.write_text(with_absolute_links(readme.read_text(encoding="utf-8"), *arguments), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
