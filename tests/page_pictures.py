"""The README's picture of the page of a watch, made by Debian's chromium.

`python -m tests.page_pictures` rewrites it, and `python -m tests.page_pictures DIR` writes a picture of every page, for
phones, laptops and wide screens, to a directory. Both need what `.ci/lanes/browser` installs.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.browser import Browser, a_browser
from tests.support.markdown_table import ROOT
from tests.support.page_scene import OUTAGE, SCENES, a_page, a_watch, priced, refused

PICTURE = ROOT / ".github" / "page.webp"
WIDTH, HEIGHT = 1280, 760
PATHS = {"jobs": "/", "job": "/jobs/search-rerank-7b", "cancelled": "/jobs/runaway-ranker", "accounts": "/accounts"}


@dataclass(frozen=True, slots=True)
class Screen:
    """The size and the colour scheme of a screen."""

    width: int
    height: int
    is_dark: bool


SCREENS = {
    "phone-light": Screen(360, 780, is_dark=False),
    "phone-dark": Screen(360, 780, is_dark=True),
    "laptop-light": Screen(WIDTH, HEIGHT, is_dark=False),
    "laptop-dark": Screen(WIDTH, HEIGHT, is_dark=True),
    "wide-dark": Screen(2000, 1000, is_dark=True),
}


def main(directory: Path | None) -> None:
    """Write the picture of the README, or those of every page to a directory."""
    with a_browser() as browser:
        if directory is None:
            with a_page(a_watch(priced(refused()), OUTAGE)) as served:
                PICTURE.write_bytes(_picture(browser, f"{served.address}/", SCREENS["laptop-light"]))
            return
        directory.mkdir(parents=True, exist_ok=True)
        for scene, watch in SCENES.items():
            with a_page(watch()) as served:
                for page, path in PATHS.items():
                    for name, screen in SCREENS.items():
                        picture = _picture(browser, f"{served.address}{path}", screen)
                        (directory / f"{scene}-{page}-{name}.webp").write_bytes(picture)


def _picture(browser: Browser, address: str, screen: Screen) -> bytes:
    browser.resize(screen.width, screen.height, is_dark=screen.is_dark)
    browser.driver.get(address)
    browser.wait(lambda: browser.text("#live") == "Live")
    return browser.picture()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if sys.argv[1:] else None)
