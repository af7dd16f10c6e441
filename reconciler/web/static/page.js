"use strict";

// The pages are complete without this script. It keeps ages up to date, and makes commands copyable.

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
const TICK_MS = 1000;

// The clock of the server, from the time at which it rendered the page.
const skew = Date.parse(document.body.dataset.now) - Date.now();

// As `views.text.span`: the two largest units, such as 5h3m.
function span(seconds) {
  let rest = Math.max(0, Math.floor(seconds));
  const sizes = UNITS.map(([unit, size]) => {
    const count = Math.floor(rest / size);
    rest %= size;
    return [count, unit];
  });
  const first = Math.max(0, sizes.findIndex(([count]) => count));
  return sizes.slice(first, first + 2).map(([count, unit]) => (count ? count + unit : "")).join("") || "0s";
}

function tick() {
  const now = Date.now() + skew;
  for (const time of document.querySelectorAll("time[data-relative], time[data-distance]")) {
    const seconds = (now - Date.parse(time.dateTime)) / 1000;
    const text = span(Math.abs(seconds));
    const shown = "distance" in time.dataset ? text : seconds >= 0 ? `${text} ago` : `in ${text}`;
    if (time.textContent !== shown) time.textContent = shown;
  }
}

function offerCopies() {
  if (!navigator.clipboard) return;
  for (const command of document.querySelectorAll("code.command")) {
    const button = document.createElement("button");
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy ${command.textContent}`);
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.textContent);
      document.getElementById("announced").textContent = `Copied: ${command.textContent}`;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    command.after(button);
  }
}

offerCopies();
setInterval(tick, TICK_MS);
