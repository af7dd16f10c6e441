"""Check the tag of a release, print the release notes, and rewrite the links of the README for PyPI.

Run as `python3 -I .ci/release.py check TAG`, `notes TAG` or `readme OWNER/REPO TAG`. If the tag does not match, or its
notes are missing, the script prints a message and exits with 1.
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
    """Exit with a message unless the tag is `v` followed by the version in `pyproject.toml`."""
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"the tag is {tag}, but the version in pyproject.toml is {version}")


def notes(tag: str, changelog: str) -> str:
    """Return the section of the changelog about a version. Exits with a message if the section is missing or empty."""
    found = re.search(rf"^## \[{re.escape(tag[1:])}\].*\n((?:(?!## \[).*\n?)*)", changelog, re.MULTILINE)
    text = found[1].strip() if found else ""
    if not text:
        sys.exit(f"the changelog has no section for {tag}")
    return f"{text}\n"


def with_absolute_links(text: str, repository: str, tag: str) -> str:
    """Return Markdown with each relative link or picture replaced by the URL of the file on GitHub at this tag."""
    text = _PICTURE.sub(rf"\1https://raw.githubusercontent.com/{repository}/{tag}/\2", text)
    return _LINK.sub(rf"\1https://github.com/{repository}/blob/{tag}/\2", text)


def main(command: str, *arguments: str) -> None:
    """Run the command `check`, `notes` or `readme`."""
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
