"use strict";

// The pages are complete without this script. It keeps ages up to date, makes commands copyable, and updates the page
// when the watch has changed. It changes the text of elements instead of replacing them, so that focus and scrolling
// stay where they are.

const UNITS = [["d", 86400], ["h", 3600], ["m", 60], ["s", 1]];
const TICK_MS = 1000;
const SILENT_MAX_MS = 40000; // the server sends an event every 15 s
const RECONNECT_MS = 10000;
const MARKED_MS = 4000;
const ANNOUNCED_MAX = 3;

const byId = (id) => document.getElementById(id);
let version = document.body.dataset.version;
// The clock of the server, from the time at which it rendered the page.
let skew = Date.parse(document.body.dataset.now) - Date.now();
const clock = () => new Date(Date.now() + skew).toISOString().slice(11, 19) + " UTC";

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

function ownButton(text, onClick) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = text;
  button.dataset.own = "";
  button.addEventListener("click", () => onClick(button));
  return button;
}

function offerCopies() {
  if (!navigator.clipboard) return;
  for (const command of document.querySelectorAll("code.command")) {
    if (command.nextElementSibling) continue;
    const button = ownButton("Copy", async () => {
      await navigator.clipboard.writeText(command.textContent);
      byId("announced").textContent = `Copied: ${command.textContent}`;
      button.textContent = "Copied";
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    button.setAttribute("aria-label", `Copy ${command.textContent}`);
    command.after(button);
  }
}

// Patching: make an element equal to its new version.

const keyOf = (node) => (node.nodeType === 1 ? node.dataset.key || node.id : "");
const notOwn = (node) => !(node.nodeType === 1 && "own" in node.dataset);

function patch(old, next) {
  if (old.nodeType !== 1) {
    if (old.data !== next.data) old.data = next.data;
    return;
  }
  if ("keep" in old.dataset) return;
  for (const name of old.getAttributeNames()) if (!next.hasAttribute(name)) old.removeAttribute(name);
  for (const name of next.getAttributeNames()) {
    if (old.getAttribute(name) !== next.getAttribute(name)) old.setAttribute(name, next.getAttribute(name));
  }
  const before = [...old.childNodes].filter(notOwn), after = [...next.childNodes];
  if (after.length && after.every(keyOf)) patchByKey(old, before, after);
  else if (before.length === after.length && before.every((node, at) => node.nodeName === after[at].nodeName)) {
    before.forEach((node, at) => patch(node, after[at]));
  } else old.replaceChildren(...after);
}

function patchByKey(old, before, after) {
  const known = new Map(before.filter(keyOf).map((node) => [keyOf(node), node]));
  const wanted = after.map((node) => {
    const same = known.get(keyOf(node));
    if (!same || same.nodeName !== node.nodeName) return node;
    patch(same, node);
    return same;
  });
  for (const node of before) if (!wanted.includes(node)) node.remove();
  let cursor = old.firstChild;
  for (const node of wanted) {
    if (node === cursor) cursor = cursor.nextSibling;
    else old.insertBefore(node, cursor);
  }
}

function patchPage(next) {
  const focused = document.activeElement;
  patch(byId("content"), next.getElementById("content"));
  document.title = next.title;
  version = next.body.dataset.version;
  skew = Date.parse(next.body.dataset.now) - Date.now();
  offerCopies();
  if (document.activeElement === focused || focused === document.body) return;
  // A row that moved has lost its focus; an element that was replaced has a successor with the same address.
  const target = focused.isConnected ? focused : document.querySelector(`main a[href="${CSS.escape(focused.getAttribute("href") || "")}"]`);
  if (target) target.focus({ preventScroll: true });
}

function announce(names) {
  if (!names || !names.length) return;
  const rows = new Map([...document.querySelectorAll("tr[data-key]")].map((row) => [row.dataset.key.split("/").pop(), row]));
  const shown = names.filter((name) => rows.has(name));
  for (const name of shown) {
    const row = rows.get(name);
    row.classList.add("changed");
    setTimeout(() => row.classList.remove("changed"), MARKED_MS);
  }
  const details = shown.slice(0, ANNOUNCED_MAX).map((name) => `${name} is ${rows.get(name).querySelector(".c-state").textContent}`);
  const total = `${names.length} ${names.length === 1 ? "job" : "jobs"} changed`;
  byId("announced").textContent = details.length ? `${total}: ${details.join(", ")}` : total;
}

// The stream of events.

let source = null, heardAt = 0, lostAt = null, isPaused = false, isFetching = false, isDueAgain = false;

function show() {
  const text = isPaused ? "Paused" : lostAt ? "Not live" : source ? "Live" : "";
  const shown = byId("shown");
  shown.dataset.live = isPaused ? "paused" : lostAt ? "lost" : source ? "yes" : "no";
  byId("live").textContent = text;
  byId("lost").hidden = !lostAt || isPaused;
  if (lostAt) byId("lost-at").textContent = lostAt;
}

function heard() {
  heardAt = Date.now();
  lostAt = null;
  show();
}

function lose() {
  lostAt ??= clock();
  disconnect();
  show();
}

function disconnect() {
  if (source) source.close();
  source = null;
}

function connect() {
  if (source || isPaused || document.hidden) return;
  heardAt = Date.now();
  source = new EventSource(`/events?since=${encodeURIComponent(version)}`);
  source.onopen = heard;
  source.addEventListener("alive", heard);
  source.onmessage = (event) => {
    heard();
    const change = JSON.parse(event.data);
    if (change.version !== version) refresh(change.names);
  };
  source.onerror = () => { if (source && source.readyState === EventSource.CLOSED) lose(); };
}

async function refresh(names) {
  if (isFetching) {
    isDueAgain = true;
    return;
  }
  isFetching = true;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok && answer.status !== 404) throw new Error(String(answer.status));
    patchPage(new DOMParser().parseFromString(await answer.text(), "text/html"));
    byId("as-of").textContent = clock();
    announce(names);
  } catch {
    lose();
  } finally {
    isFetching = false;
    if (isDueAgain) {
      isDueAgain = false;
      refresh(null);
    }
  }
}

function watchTheStream() {
  if (source && Date.now() - heardAt > SILENT_MAX_MS) lose();
  else if (source && source.readyState === EventSource.CONNECTING && Date.now() - heardAt > RECONNECT_MS) lose();
  if (!source && lostAt) connect();
}

function goOn() {
  if (isPaused || document.hidden) return disconnect();
  refresh(null).then(connect);
}

byId("shown").append(ownButton("Pause updates", (button) => {
  isPaused = !isPaused;
  button.textContent = isPaused ? "Resume updates" : "Pause updates";
  goOn();
  show();
}));
document.addEventListener("visibilitychange", goOn);
addEventListener("pagehide", disconnect);
setInterval(tick, TICK_MS);
setInterval(watchTheStream, RECONNECT_MS / 2);
offerCopies();
connect();
