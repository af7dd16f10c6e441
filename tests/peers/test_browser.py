"""The page of a watch in chromium: see `.ci/lanes/browser`."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import a_checkout
from tests.support.browser import AXE, CHROMIUM, DRIVER, Browser, a_browser
from tests.support.cli import Checkout, started_sandbox
from tests.support.page_scene import SCENES, PageScene, a_job, a_page, a_refused_job, a_watch, calm
from tests.support.processes import a_free_port
from tests.support.sandbox_client import Sandbox, wait_for
from tests.support.watch_process import watching

HAS_SELENIUM = importlib.util.find_spec("selenium") is not None
pytestmark = pytest.mark.skipif(
    not (CHROMIUM and DRIVER and HAS_SELENIUM),
    reason="no chromium, chromium-driver or selenium: apt install chromium chromium-driver; pip install selenium",
)
needs_axe = pytest.mark.skipif(not Path(AXE).is_file(), reason="RECONCILE_AXE names no axe.min.js: npm pack axe-core")
WIDTHS = (360, 768, 1280, 2000)
PATHS = ("/", "/?state=refused", "/?q=none", "/accounts", "/jobs/core-east-1", "/jobs/none")
INTERVAL_S = 15
PAGE_MAX_BYTES = 200_000
"""The maximum size of the first page, however many jobs there are."""
SETTINGS = """\
apiVersion: jobs.reconciler/v1
kind: Settings
metadata: {name: settings}
spec: {interval: 15s}
"""


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[Browser]:
    with a_browser() as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: Browser) -> Iterator[Browser]:
    shared_browser.resize(1280)
    yield shared_browser
    shared_browser.disable_scripts(is_off=False)
    shared_browser.driver.get("about:blank")  # closes the stream of the page
    shared_browser.console_errors()


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_no_page_scrolls_sideways_at_any_width(browser: Browser, scene: str, *, is_dark: bool) -> None:
    wide = []
    with a_page(SCENES[scene]()) as served:
        for width in WIDTHS:
            browser.resize(width, is_dark=is_dark)
            for path in PATHS:
                browser.driver.get(f"{served.address}{path}")
                if browser.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    wide.append((width, path))

    assert wide == []


@needs_axe
@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
def test_axe_finds_no_violation(browser: Browser, scene: str, *, is_dark: bool) -> None:
    found = []
    with a_page(SCENES[scene]()) as served:
        for width in (360, 1280):
            browser.resize(width, is_dark=is_dark)
            for path in PATHS:
                browser.driver.get(f"{served.address}{path}")
                browser.wait(lambda: browser.text("#live") == "Live")
                found += [(width, path, each) for each in browser.violations()]

    assert found == []


def test_the_page_loads_only_from_its_own_port_and_logs_no_error(browser: Browser) -> None:
    with a_page(SCENES["refusal"]()) as served:
        for path in ("/", "/accounts", "/jobs/core-east-1"):
            browser.driver.get(f"{served.address}{path}")
            browser.wait(lambda: browser.text("#live") == "Live")
            loaded = browser.evaluate("performance.getEntriesByType('resource').map((each) => each.name)")

            assert [url for url in loaded if not url.startswith(f"{served.address}/")] == []
        errors = browser.console_errors()

    assert errors == []


def test_without_scripts_the_page_shows_the_same_rows_and_filters(browser: Browser) -> None:
    with a_page(SCENES["refusal"]()) as served:
        browser.driver.get(served.address)
        rows = browser.texts("tbody th a")
        browser.disable_scripts(is_off=True)
        browser.driver.get(served.address)
        without = browser.texts("tbody th a")
        browser.driver.find_element("name", "q").send_keys("core-east")
        browser.driver.find_element("css selector", "#filter button").click()
        browser.wait(lambda: "q=core-east" in browser.driver.current_url)

        assert without == rows
        assert len(browser.texts("tbody tr")) == 5


def test_the_page_can_be_used_by_the_keyboard_alone(browser: Browser) -> None:
    from selenium.webdriver.common.keys import Keys  # noqa: PLC0415

    with a_page(SCENES["refusal"]()) as served:
        browser.driver.get(served.address)
        browser.driver.find_element("tag name", "body").send_keys(Keys.TAB)
        first = browser.driver.switch_to.active_element.text
        browser.press(Keys.ENTER)
        at_content = browser.driver.switch_to.active_element.get_attribute("id")
        while browser.driver.switch_to.active_element.get_attribute("name") != "phase":
            browser.press(Keys.TAB)
        browser.press("abs")
        while browser.driver.switch_to.active_element.text != "Filter":
            browser.press(Keys.TAB)
        browser.press(Keys.ENTER)
        browser.wait(lambda: "phase=absent" in browser.driver.current_url)
        filtered = browser.texts("tbody th a")
        while browser.driver.switch_to.active_element.text != "Job":
            browser.press(Keys.TAB)
        browser.press(Keys.ENTER)
        browser.wait(lambda: "sort=job" in browser.driver.current_url)
        while browser.driver.switch_to.active_element.text != "core-east-5":
            browser.press(Keys.TAB)
        browser.press(Keys.ENTER)
        browser.wait(lambda: browser.driver.current_url.endswith("/jobs/core-east-5"))
        browser.driver.back()
        browser.wait(lambda: browser.texts("tbody th a") == filtered)

    assert (first, at_content, filtered) == ("Skip to the content", "content", ["core-east-5"])


def focus_on(browser: Browser, name: str) -> None:
    browser.driver.execute_script(f"document.querySelector('tbody a[href=\"/jobs/{name}\"]').focus()")


def focused(browser: Browser) -> str:
    return str(browser.evaluate("document.activeElement.textContent"))


def test_an_update_changes_texts_and_keeps_focus_typing_and_scrolling(browser: Browser) -> None:
    name = "support-triage-05"
    rows = [*calm(), *(a_job(f"filler-{number:02}") for number in range(60))]
    with a_page(a_watch(rows)) as served:
        browser.driver.get(f"{served.address}/?sort=job")
        browser.wait(lambda: browser.text("#live") == "Live")
        browser.driver.execute_script("window.mark = 1; document.querySelector('[name=q]').value = 'half typed'")
        focus_on(browser, name)
        scrolled = browser.evaluate("scrollY")
        served.watch = a_watch([a_refused_job(name) if row.name == name else row for row in rows], passes=8)
        browser.wait(lambda: "1 job needs attention" in browser.text("h1"))
        announced = browser.evaluate("document.getElementById('announced').textContent")

        assert browser.evaluate("window.mark") == 1
        assert focused(browser) == name
        assert abs(browser.evaluate("scrollY") - scrolled) < 200  # the browser keeps the row in its place
        assert browser.evaluate("document.querySelector('[name=q]').value") == "half typed"
        assert announced == f"1 job changed: {name} is refused RefusedByGuard"
        assert browser.driver.title == "1 job needs attention · reconcile"


def test_a_row_that_moves_keeps_the_focus(browser: Browser) -> None:
    name = "support-triage-05"
    with a_page(a_watch(calm())) as served:
        browser.driver.get(served.address)
        browser.wait(lambda: browser.text("#live") == "Live")
        focus_on(browser, name)
        before = browser.texts("tbody th a").index(name)
        served.watch = a_watch([a_refused_job(name) if row.name == name else row for row in calm()], passes=8)
        browser.wait(lambda: browser.texts("tbody th a")[0] == name)

        assert before > 0
        assert focused(browser) == name


def test_an_update_shows_new_rows_removes_old_ones_and_keeps_the_filter(browser: Browser) -> None:
    with a_page(a_watch(calm())) as served:
        browser.driver.get(f"{served.address}/?q=triage")
        browser.wait(lambda: browser.text("#live") == "Live")
        rows = [row for row in calm() if row.name != "support-triage-00"]
        served.watch = a_watch([*rows, a_job("triage-new")], passes=8)
        browser.wait(lambda: "triage-new" in browser.texts("tbody th a"))
        names = browser.texts("tbody th a")

        assert "support-triage-00" not in names
        assert [name for name in names if "triage" not in name] == []


def test_a_page_says_since_when_it_is_not_live_and_goes_on_by_itself(browser: Browser) -> None:
    with a_page(a_watch(calm())) as served:
        browser.driver.get(served.address)
        browser.wait(lambda: browser.text("#live") == "Live")
        port = int(served.address.rpartition(":")[2])
    browser.wait(lambda: browser.text("#lost").startswith("This page has not been updated since "))
    lost = browser.text("#live")
    with a_page(a_watch([*calm(), a_job("new-job")], passes=9), port=port):
        browser.wait(lambda: browser.text("#live") == "Live")
        browser.wait(lambda: "new-job" in browser.texts("tbody th a"))

        assert lost == "Not live"
        assert browser.text("#lost") == ""


def test_updates_can_be_paused(browser: Browser) -> None:
    with a_page(a_watch(calm())) as served:
        browser.driver.get(served.address)
        browser.wait(lambda: browser.text("#live") == "Live")
        browser.driver.find_element("css selector", "#shown button").click()
        paused = (browser.text("#live"), browser.text("#shown button"))
        served.watch = a_watch([*calm(), a_job("new-job")], passes=8)
        time.sleep(3)  # two looks of the server
        during = browser.texts("tbody th a")
        browser.driver.find_element("css selector", "#shown button").click()
        browser.wait(lambda: "new-job" in browser.texts("tbody th a"))

    assert paused == ("Paused", "Resume updates")
    assert "new-job" not in during


def streams(served: PageScene) -> int:
    """Return the number of streams that are open, by how many more the server accepts."""
    from tests.e2e.test_page_events import open_streams  # noqa: PLC0415

    return open_streams(served.address)


def test_a_hidden_tab_has_no_stream_and_is_up_to_date_once_it_is_shown(browser: Browser) -> None:
    with a_page(a_watch(calm())) as served:
        browser.driver.get(served.address)
        browser.wait(lambda: browser.text("#live") == "Live")
        page = browser.driver.current_window_handle
        visible = streams(served)
        browser.driver.switch_to.new_window("tab")
        wait_for(lambda: streams(served) == 0, "the hidden page closes its stream")
        served.watch = a_watch([*calm(), a_job("new-job")], passes=8)
        browser.driver.close()
        browser.driver.switch_to.window(page)
        browser.wait(lambda: "new-job" in browser.texts("tbody th a"))

    assert visible == 1


@contextmanager
def a_watched_sandbox(root: Path) -> Iterator[tuple[Checkout, Sandbox, str]]:
    with started_sandbox(root, "--port", "0", "--crowd", "30") as url:
        sandbox = Sandbox(url)
        checkout = a_checkout(root, sandbox)
        checkout.write("settings.yaml", SETTINGS)
        checkout.want("runaway", "ftjob-28", "observed")
        checkout.want("steady", "ftjob-18", "running")
        address = f"127.0.0.1:{a_free_port()}"
        with watching(checkout, "--listen", address):
            yield checkout, sandbox, f"http://{address}"


def test_a_job_is_followed_from_running_to_cancelled_and_an_outage_shown_without_a_reload(
    browser: Browser, tmp_path: Path
) -> None:
    with a_watched_sandbox(tmp_path) as (checkout, sandbox, address):
        browser.driver.get(address)
        browser.wait(lambda: browser.texts("td.c-phase") == ["running", "running"])
        browser.driver.execute_script("window.mark = 1")
        checkout.want("runaway", "ftjob-28")
        browser.wait(lambda: "runaway" in browser.text("#today"))
        phases = dict(zip(browser.texts("tbody th a"), browser.texts("td.c-phase"), strict=True))
        sandbox.break_with({"fault": "status", "status": 503})
        began = time.monotonic()
        browser.wait(lambda: "1 account cannot be observed" in browser.text("h1"), within_s=2 * INTERVAL_S)
        took_s = time.monotonic() - began
        rows = browser.texts("tbody tr")

        assert phases["runaway"] == "cancelled"
        assert [row for row in rows if row.startswith("steady") and "not seen" in row]
        assert took_s < 2 * INTERVAL_S
        assert browser.evaluate("window.mark") == 1


def test_ten_thousand_jobs_are_shown_a_hundred_at_a_time(
    browser: Browser, record_property: Callable[[str, object], None]
) -> None:
    watch = a_watch([a_job(f"job-{number:05}") for number in range(10_000)])
    with a_page(watch) as served:
        browser.driver.get(f"{served.address}/?sort=job&page=2")
        rows = browser.texts("tbody th a")
        loaded = browser.evaluate("performance.getEntriesByType('navigation')[0].toJSON()")
    record_property(
        "the page of a watch with 10,000 jobs",
        f"{loaded['decodedBodySize'] / 1024:.0f} KiB, {loaded['encodedBodySize'] / 1024:.1f} KiB compressed; the first "
        f"byte arrived after {loaded['responseStart']:.0f} ms, and the rows could be used after "
        f"{loaded['domInteractive']:.0f} ms",
    )

    assert rows == [f"job-{number:05}" for number in range(100, 200)]
    assert loaded["decodedBodySize"] < PAGE_MAX_BYTES
