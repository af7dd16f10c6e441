"""What all pages of a watch share: the document around them, times, states and commands.

Rules: a state is a word and a shape, never a colour alone. A time is an absolute time in UTC, with its age beside it.
The script keeps ages up to date, and replaces what changed: it matches elements by their `id` or `data-key`, and leaves
an element with `data-keep` as it is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

from reconciler.views.html import Child, Html, document, joined, tag
from reconciler.views.row_state import RowState
from reconciler.views.text import span

SHADOW_NOTE = "Shadow mode: this watch decides and reports, and requests no change."
PAGES = (("/", "Jobs"), ("/accounts", "Accounts"))


@dataclass(frozen=True, slots=True)
class Frame:
    """What a page needs besides the watch.

    Args:
        now: the current time.
        monotonic: the same time in monotonic seconds, which the times of a `WatchStatus` refer to.
        version: the version of the watch that the page shows.
        style: the address of the stylesheet.
        script: the address of the script.
        is_shadow: whether the watch runs in shadow mode.
    """

    now: datetime
    monotonic: float
    version: str
    style: str
    script: str
    is_shadow: bool = False

    def wall(self, at: float) -> datetime:
        """Return the wall-clock time of a time in monotonic seconds."""
        return self.now + timedelta(seconds=at - self.monotonic)


def page(title: str, main: Html, frame: Frame, here: str = "") -> str:
    """Return a whole page. `here` is its address if the navigation has a link to it, else empty."""
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("title", f"{title} · reconcile"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("link", rel="stylesheet", href=frame.style),
        tag("link", rel="icon", href="data:,"),
        tag("script", src=frame.script, defer=True),
    )
    body = tag(
        "body",
        tag("a", "Skip to the content", href="#content", class_="skip"),
        _header(frame, here),
        tag("p", SHADOW_NOTE, id="shadow", role="note") if frame.is_shadow else None,
        _lost(),
        tag("main", main, id="content", tabindex="-1"),
        tag("p", id="announced", class_="unseen", role="status"),
        data_version=frame.version,
        data_now=frame.now.isoformat(),
    )
    return document(head, body)


def _header(frame: Frame, here: str) -> Html:
    links = (tag("a", text, href=href, aria_current="page" if href == here else None) for href, text in PAGES)
    as_of = tag("span", "As of ", time_of(frame.now, name="as-of"))
    shown = tag("div", tag("span", id="live"), as_of, id="shown")
    return tag("header", tag("a", "reconcile", href="/", class_="brand"), tag("nav", links, aria_label="Pages"), shown)


def _lost() -> Html:
    """Return the message that the script shows once the page is no longer updated."""
    since = tag("span", id="lost-at")
    reload = tag("a", "Reload it", href="")
    return tag(
        "p", "This page has not been updated since ", since, ". ", reload, ".", id="lost", hidden=True, role="alert"
    )


def time_of(at: datetime, now: datetime | None = None, name: str | None = None) -> Html:
    """Return a time in UTC: only the time of day if it is on the day of `now`, or if `now` is None.

    `name` is the id of the element.
    """
    is_today = now is None or at.astimezone(UTC).date() == now.astimezone(UTC).date()
    text = at.astimezone(UTC).strftime("%H:%M:%S UTC" if is_today else "%Y-%m-%d %H:%M UTC")
    return tag("time", text, datetime=_iso(at), id=name)


def relative(at: datetime, now: datetime) -> Html:
    """Return how long ago or how far ahead a time is, such as `12s ago` or `in 48s`."""
    text = f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"
    return tag("time", text, datetime=_iso(at), data_relative=True)


def distance(at: datetime, now: datetime) -> Html:
    """Return how far away a time is, such as `5h3m`, in the past or in the future."""
    return tag("time", span(abs(now - at)), datetime=_iso(at), data_distance=True)


def badge(state: RowState) -> Html:
    """Return the state of a job: a shape and a word."""
    return tag("span", state.job_state.value, class_=f"state is-{state.job_state.value.replace(' ', '-')}")


def command(text: str) -> Html:
    """Return a command that the script makes copyable."""
    return tag("code", text, class_="command")


def prose(text: str) -> Html:
    """Return a message of `reconcile` as HTML, in which text between backticks is code."""
    parts = text.split("`")
    return joined(*(tag("code", part) if index % 2 else part for index, part in enumerate(parts)))


def card(name: str, title: str, *children: Child) -> Html:
    """Return a titled box. `name` is the id of the box."""
    return tag("section", tag("h2", title, id=f"{name}-title"), *children, id=name, aria_labelledby=f"{name}-title")


def facts(rows: Iterable[tuple[str, str | None]]) -> Html:
    """Return labels with their values. A label without a value is left out."""
    pairs = (tag("div", tag("dt", label), tag("dd", value)) for label, value in rows if value)
    return tag("dl", pairs, class_="facts")


def scrollable(name: str, table: Html) -> Html:
    """Return a table in a box that scrolls sideways by itself, so that the page does not."""
    return tag("div", table, class_="scroll", role="region", aria_label=name, tabindex="0")


def separated(parts: Iterable[Child]) -> Html:
    """Return pieces separated by middle dots. Empty pieces are left out."""
    return Html(" · ".join(joined(part) for part in parts if part))


def job_link(name: str) -> Html:
    """Return a link to the page of a job."""
    return tag("a", name, href=f"/jobs/{quote(name, safe='', errors='replace')}")


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
