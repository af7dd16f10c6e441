"""A real browser: Debian's chromium, driven by its own driver. The browser reaches nothing but loopback."""

from __future__ import annotations

import os
import shutil
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
AXE = os.environ.get("RECONCILE_AXE", "")
"""The file `axe.min.js` of axe-core; see `.ci/lanes/browser`."""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WAITS_WITHIN_S = 20
FLAGS = (
    "--headless=new",
    "--no-sandbox",  # as root, as in a container
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)


@dataclass(frozen=True, slots=True)
class Browser:
    """An open browser, with shortcuts for the tests of the page."""

    driver: Any

    def resize(self, width: int, height: int = 900, *, is_dark: bool = False) -> None:
        """Set the size of the page and its colour scheme. A window alone cannot be as narrow as a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
        scheme = {"name": "prefers-color-scheme", "value": "dark" if is_dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})

    def disable_scripts(self, *, is_off: bool) -> None:
        """Switch the scripts of pages off or on."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": is_off})

    def evaluate(self, script: str) -> Any:
        """Return the value of an expression in the page."""
        return self.driver.execute_script(f"return {script}")

    def text(self, selector: str) -> str:
        """Return the text of the first element that a selector finds, in one line. Empty if the selector finds none."""
        found = self.driver.find_elements("css selector", selector)
        return " ".join(found[0].text.split()) if found else ""

    def texts(self, selector: str) -> list[str]:
        """Return the text of every element that a selector finds, each in one line."""
        return [" ".join(each.text.split()) for each in self.driver.find_elements("css selector", selector)]

    def press(self, *keys: str) -> None:
        """Type keys into the element that has the focus."""
        self.driver.switch_to.active_element.send_keys(*keys)

    def wait(self, condition: Callable[[], object], within_s: float = WAITS_WITHIN_S) -> None:
        """Wait until a condition holds. Fails with the text of the page if it does not hold within `within_s`."""
        from selenium.common.exceptions import StaleElementReferenceException, TimeoutException  # noqa: PLC0415
        from selenium.webdriver.support.ui import WebDriverWait  # noqa: PLC0415

        waiting = WebDriverWait(self.driver, within_s, ignored_exceptions=[StaleElementReferenceException])
        try:
            waiting.until(lambda _: condition())
        except TimeoutException:
            msg = f"not within {within_s} s; the page shows: {self.text('body')}"
            raise AssertionError(msg) from None

    def violations(self) -> list[tuple[str, list[str]]]:
        """Return what axe-core finds: each violated rule with the elements that violate it."""
        self.driver.execute_script(Path(AXE).read_text(encoding="utf-8"))
        script = "axe.run(document, {runOnly: arguments[0]}).then(arguments[1])"
        found = self.driver.execute_async_script(script, RULES)
        return [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]

    def console_errors(self) -> list[str]:
        """Return the errors in the console since the last call."""
        return [each["message"] for each in self.driver.get_log("browser") if each["level"] == "SEVERE"]

    def picture(self) -> bytes:
        """Return a WebP of the visible part of the page."""
        shot = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "webp", "quality": 90})
        return b64decode(shot["data"])


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Open a browser, and close it when the body ends."""
    from selenium import webdriver  # noqa: PLC0415  only the lane of the browser installs it

    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in FLAGS:
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(str(DRIVER)))
    try:
        yield Browser(driver)
    finally:
        driver.quit()
