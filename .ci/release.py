"""Check the tag of a release, print the release notes, and rewrite the links of the README for PyPI.

Run as `python3 -I .ci/release.py check TAG`, `notes OWNER/REPO TAG` or `readme OWNER/REPO TAG`. If the tag does not
match, or its notes are missing, the script prints a message and exits with 1.
"""

from __future__ import annotations

import posixpath
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CHANGELOG, README = ".github/CHANGELOG.md", "README.md"
_LINK = re.compile(
    r"""
    (?P<code> ^```.*?^``` | `[^`\n]+` )                           # is not changed
    | (?P<before> (?P<picture> !\[[^\[\]]*\]\( ) | \]\( | ^\[[^\[\]]+\]:[ ]+ )
      (?! [a-zA-Z][a-zA-Z0-9+.-]*: | // | \# ) (?P<target> [^)\s]+ )   # is relative
    """,
    re.MULTILINE | re.DOTALL | re.VERBOSE,
)


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


def with_absolute_links(text: str, file: str, repository: str, tag: str) -> str:
    """Return the Markdown of a file with the URL of each linked file and picture on GitHub at this tag.

    Args:
        text: the Markdown. What is in code, and links that are not relative, stay as they are.
        file: the path of the file in the repository, to which links are relative.
        repository: the repository, as `OWNER/REPO`.
        tag: the tag.
    """

    def absolute(found: re.Match[str]) -> str:
        if found["code"] is not None:
            return found[0]
        path, mark, place = found["target"].partition("#")
        path = posixpath.normpath(posixpath.join(posixpath.dirname(file), path))
        top = "https://raw.githubusercontent.com/{}/{}" if found["picture"] else "https://github.com/{}/blob/{}"
        return f"{found['before']}{top.format(repository, tag)}/{path}{mark}{place}"

    return _LINK.sub(absolute, text)


def main(command: str, *arguments: str) -> None:
    """Run the command `check`, `notes` or `readme`."""
    if command == "check":
        check(*arguments)
        return
    repository, tag = arguments
    if command == "notes":
        text = notes(tag, (ROOT / CHANGELOG).read_text(encoding="utf-8"))
        sys.stdout.write(with_absolute_links(text, CHANGELOG, repository, tag))
    else:
        readme = ROOT / README
        text = with_absolute_links(readme.read_text(encoding="utf-8"), README, repository, tag)
        readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
