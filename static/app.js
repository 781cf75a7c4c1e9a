// Everything here only saves a click: each page works without it.
const root = document.documentElement;
root.classList.add("js");

const all = (selector, within = document) => [...within.querySelectorAll(selector)];
const typing = (el) => el?.matches?.("input, select, textarea, [contenteditable]") ?? false;

// ---- fetching a page and putting parts of it in place -------------------------------------------

async function fetchPage(url, init = {}) {
  const response = await fetch(url, { ...init, headers: { Accept: "text/html" } });
  const type = response.headers.get("content-type") ?? "";
  if (!type.startsWith("text/html")) throw new Error(`not a page: ${response.status}`);
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  fillRows(page);
  return { response, page };
}

// Replaces one element by its namesake from another document; focus, open dropdowns and the place
// on the page stay, as long as the elements have the same id there.
function swap(selector, page) {
  const [old, fresh] = [document.querySelector(selector), page.querySelector(selector)];
  if (!old || !fresh) return false;
  const focus = old.contains(document.activeElement) ? document.activeElement.id : "";
  const open = all("details[open][id]", old).map((el) => el.id);
  const { scrollX, scrollY } = window;
  old.replaceWith(document.adoptNode(fresh));
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focus) document.getElementById(focus)?.focus({ preventScroll: true });
  window.scrollTo(scrollX, scrollY);
  prepare();
  return true;
}

// What comes without a new page lies over the page, so that nothing moves.
function putToasts(nodes) {
  const toasts = document.getElementById("toasts");
  toasts?.classList.add("over");
  toasts?.replaceChildren(...nodes);
  leaveInTime();
}

function showToasts(page) {
  const fresh = page.getElementById("toasts");
  if (fresh) putToasts(fresh.childNodes);
}

function say(text) {
  const toast = document.createElement("div");
  toast.className = "toast toast-bad";
  const close = { type: "button", className: "small square close", textContent: "×", ariaLabel: "Dismiss" };
  toast.append(
    Object.assign(document.createElement("p"), { textContent: text }),
    Object.assign(document.createElement("button"), close),
  );
  putToasts([toast]);
}

// Good news that asks for nothing goes by itself, unless it is being read. In the flow of a phone's
// page it stays: it covers nothing, and to take it away would move the rest.
function leaveInTime() {
  const toast = document.querySelector(".toast-good:not(:has(form))");
  if (!toast || getComputedStyle(toast.parentElement).position !== "fixed") return;
  const leave = () => {
    if (toast.matches(":hover, :focus-within")) return setTimeout(leave, 2000);
    toast.classList.add("gone");
    setTimeout(() => toast.remove(), 300);
  };
  setTimeout(leave, 10000);
}

// ---- menus of rows -------------------------------------------------------------------------------

// What all rows of a list have alike stands in the page once, as a template, and each row says what differs.
// Without the script the name and the roles of a row lead to its own page.
function fillRows(page) {
  for (const [id, fill] of [["row-menu", fillMenu], ["row-roles", fillRoles]]) {
    const content = page.getElementById(id)?.content;
    if (!content) continue;
    for (const el of all(`[data-${id}]`, page)) {
      const box = content.firstElementChild.cloneNode(true);
      const name = el.closest("tr").querySelector(".name a");
      box.querySelector("summary .sr").append(name.textContent);
      fill(box, el, name.getAttribute("href"));
    }
  }
}

function fillMenu(box, cell, at) {
  const may = cell.dataset.rowMenu.split(" ");
  for (const el of all("[data-may]", box)) {
    if (!may.includes(el.dataset.may)) el.remove();
    else if (el.matches("form")) Object.assign(el, { method: "post", action: at + el.dataset.to });
    else el.href = at + el.dataset.to;
  }
  for (const rule of all("hr", box)) if (!rule.previousElementSibling || !rule.nextElementSibling) rule.remove();
  cell.replaceChildren(box);
}

function fillRoles(box, link, at) {
  const key = at.split("/").pop();
  const [own, ofTeams] = [link.dataset.rowRoles, link.dataset.ofTeams ?? ""].map((slugs) => slugs.split(" "));
  const [summary, form] = [box.querySelector("summary"), box.querySelector("form")];
  box.id = `d-${key}`;
  summary.id = `d-${key}-button`;
  summary.querySelector(".sr").append(": ");
  summary.append(...link.childNodes);
  Object.assign(form, { id: `f-${key}`, method: "post", action: `${at}/roles` });
  form.elements.had.setAttribute("value", own.join(" "));
  for (const tick of all("input[name=role]", form)) {
    tick.id = `f-${key}-${tick.value}`;
    tick.defaultChecked = own.includes(tick.value);
    if (ofTeams.includes(tick.value)) tick.parentElement.querySelector("small").prepend("Also from a team. ");
  }
  link.replaceWith(box);
}

// ---- the switch in the head ----------------------------------------------------------------------

// A link to the list of workspaces, or of accounts, becomes a menu of them: the one used last first, found by typing.
function fillSwitch() {
  const link = document.querySelector("a[data-switch]");
  const box = document.getElementById("switcher")?.content.firstElementChild.cloneNode(true);
  if (!link || !box) return;
  const summary = box.querySelector("summary");
  summary.title = link.title;
  summary.append(...link.childNodes);
  box.addEventListener("toggle", () => { if (box.open) openSwitch(box, link); });
  box.querySelector("input").addEventListener("input", ({ target }) => {
    const text = target.value.trim().toLowerCase();
    for (const el of all(".switch-to a", box)) el.hidden = !el.textContent.toLowerCase().includes(text);
  });
  box.querySelector("input").addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    event.preventDefault();
    all(".switch-to a", box).find((el) => !el.hidden)?.click();
  });
  link.replaceWith(box);
}

async function openSwitch(box, link) {
  box.querySelector("input").focus();
  const list = box.querySelector(".switch-to");
  if (list.childElementCount) return;
  try {
    const { response, page } = await fetchPage(link.href);
    if (!response.ok) throw new Error(`no list: ${response.status}`);
    list.replaceChildren(...all(link.dataset.switch, page).filter((el) => el.querySelector("a")).map((el) => {
      const to = el.querySelector("a").cloneNode(true);
      const detail = el.parentElement.querySelector(".sub");
      if (detail) to.append(Object.assign(document.createElement("small"), { textContent: detail.textContent }));
      if (`${location.pathname}/`.startsWith(`${to.getAttribute("href")}/`)) to.setAttribute("aria-current", "true");
      return to;
    }));
  } catch {
    location.assign(link.href);
  }
}

// ---- forms that are saved when a box is ticked ---------------------------------------------------

// One after another: each answer brings the version that the next save of the same form must name.
let saves = Promise.resolve();
let waiting = 0;
const versions = new Map(); // form id → hidden fields as of our own last save of it

function saveOnChange(form) {
  const data = new URLSearchParams(new FormData(form, form.querySelector("button"))); // with its token
  if (data.has("list")) data.set("list", location.search || "?"); // the rows that are shown now
  const { id, action } = form;
  const drawn = hidden(form);
  form.setAttribute("aria-busy", "true");
  waiting += 1;
  saves = saves.then(() => save(id, action, data, drawn)).catch(() => {
    form.isConnected ? form.reset() : location.reload();
    form.removeAttribute("aria-busy");
    say("Your change wasn't saved. Check your connection, then try again.");
  }).finally(() => { waiting -= 1; });
}

const hidden = (form) =>
  JSON.stringify(all("input[type=hidden]:not([name=list])", form).map((el) => [el.name, el.value]));

async function save(id, action, data, drawn) {
  // Ticked twice quickly: the second save follows our own first, not somebody else's.
  const own = versions.get(id);
  if (own && own.from === drawn) for (const [name, value] of JSON.parse(own.to)) data.set(name, value);
  const { response, page } = await fetchPage(action, { method: "POST", body: data });
  if (response.status === 401) return sendPlainly(action, data);
  const moved = response.redirected && new URL(response.url).pathname !== location.pathname;
  if (moved && response.ok) return location.assign(response.url); // signed out meanwhile, say
  const fresh = id && page.getElementById(id);
  if (response.ok && fresh) versions.set(id, { from: drawn, to: hidden(fresh) });
  // A page without our frame is another page: signed out, no longer allowed, too busy.
  if (!response.ok && !page.querySelector(".frame")) return location.reload();
  // Read before the page is put in place, which takes its parts.
  const notice = page.querySelector("main .notice-bad")?.textContent.trim().replace(/\s+/g, " ");
  const undo = response.ok && page.querySelector("#toasts form");
  if (!response.ok || waiting === 1) {
    versions.clear();
    if (!swap("main", page)) location.reload();
    if (undo) putUndo(id, undo.cloneNode(true));
  }
  if (!response.ok && fresh && notice) return say(notice); // the row is in view, its notice may not be
  showToasts(page);
  if (response.ok) return;
  document.title = page.title;
  document.querySelector("main").focus();
  scrollTo(0, 0);
}

// The Undo of a row stands in the row too: the toast is far from where the change was made.
function putUndo(id, undo) {
  const menu = document.getElementById(id)?.closest(".menu");
  if (!menu) return;
  undo.classList.add("undo");
  menu.append(undo);
}

// Signed out meanwhile: sent once more as a page of its own, to sign in on. Nothing was done the first time
// either, and what was ticked comes back afterwards.
function sendPlainly(action, data) {
  const form = Object.assign(document.createElement("form"), { method: "post", action, hidden: true });
  for (const [name, value] of data) {
    form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
  }
  document.body.append(form);
  form.submit();
}

// ---- search as you type --------------------------------------------------------------------------

let timer, inFlight;

const found = Object.assign(document.createElement("p"), { className: "sr", role: "status" });
document.body.append(found);

// For who does not see the list change.
function tellCount() {
  const total = document.querySelector("#results .pager span")?.textContent;
  const none = document.querySelector("#results .empty h2")?.textContent;
  const rows = all("#results :is(tbody tr, .feed > li:not(.day), .perms > li)").length;
  found.textContent = none || total || `${rows} on this page`;
}

function live(form) {
  clearTimeout(timer);
  timer = setTimeout(async () => {
    const query = new URLSearchParams(new FormData(form));
    for (const [name, value] of [...query]) if (value === "") query.delete(name, value);
    const url = new URL(form.action);
    url.search = query;
    inFlight?.abort();
    inFlight = new AbortController();
    try {
      const { response, page } = await fetchPage(url, { signal: inFlight.signal });
      if (!response.ok || !swap("#results", page)) return location.assign(url);
      history.replaceState(null, "", url);
      tellCount();
    } catch (error) {
      if (error.name !== "AbortError") location.assign(url);
    }
  }, 180);
}

// ---- rows that are ticked ------------------------------------------------------------------------

const picks = () => all("tbody .pick:not(:disabled)");

function countPicks() {
  const bar = document.querySelector("[data-selected]");
  if (!bar) return;
  const [some, ticked] = [picks(), picks().filter((box) => box.checked)];
  bar.textContent = `${ticked.length} selected`;
  const every = document.querySelector("[data-check-all]");
  every.checked = some.length > 0 && ticked.length === some.length;
  every.indeterminate = ticked.length > 0 && !every.checked;
}

// ---- scopes that are in use, offered while one is typed ----------------------------------------------

const typedWord = (area) => area.value.slice(0, area.selectionStart).match(/[^\s,;]*$/)[0];

function offerScopes(area) {
  const word = typedWord(area);
  const there = area.value.split(/[\s,;]+/);
  for (const el of all(`${area.dataset.complete} button`)) {
    el.hidden = there.includes(el.value) || !el.value.includes(word);
  }
}

// In the place of what was begun to be typed.
function addScope(button) {
  const area = document.querySelector(button.dataset.add);
  const end = area.selectionStart;
  const word = typedWord(area);
  const begun = button.value.includes(word);
  area.setRangeText(`${begun ? "" : "\n"}${button.value}\n`, begun ? end - word.length : end, end, "end");
  area.focus();
  offerScopes(area);
}

// ---- listening, once, for the whole page ---------------------------------------------------------

document.addEventListener("input", ({ target }) => {
  const form = target.form;
  if (form?.matches("[data-live]") && target.matches("input")) live(form);
  if (form?.matches("[data-confirm-type]")) matchTyped(form);
  if (target.matches("[data-complete]")) offerScopes(target);
});

document.addEventListener("change", ({ target }) => {
  const form = target.form;
  if (form?.matches("[data-save-on-change]")) saveOnChange(form);
  else if (form?.matches("[data-live]")) live(form);
  else if (form?.matches("[data-autosubmit]")) form.requestSubmit();
  if (target.matches("[data-check-all]")) {
    for (const box of picks()) box.checked = target.checked;
  }
  if (target.matches(".pick")) countPicks();
  if (target.matches("[data-file-into]")) fileInto(document.querySelector(target.dataset.fileInto), target.files[0]);
});

document.addEventListener("reset", () => setTimeout(countPicks));

document.addEventListener("click", async (event) => {
  const { target } = event;
  const inside = target.closest("details.dropdown");
  for (const el of all("details.dropdown[open]")) if (el !== inside) el.open = false;
  if (target.closest(".toast .close")) {
    event.preventDefault();
    target.closest(".toast").remove();
  }
  if (target.closest("[data-keys]")) showKeys();
  const button = target.closest("[data-copy]");
  if (button) copy(button);
  if (target.closest("[data-print]")) window.print();
  const saved = target.closest("[data-save]");
  if (saved) saveAsFile(saved.dataset);
  const known = target.closest("[data-add]");
  if (known) addScope(known);
});

document.addEventListener("focusout", ({ target, relatedTarget }) => {
  const menu = target.closest("details.dropdown[open]");
  // What is around the menu takes the focus when words in it are pressed: closed now, it would lose the click, and
  // Chromium 156 loses the whole page.
  const leaves = relatedTarget && !menu?.contains(relatedTarget) && !relatedTarget.contains(menu);
  if (menu && leaves) menu.open = false;
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.dropdown[open]") ?? document.querySelector("details.dropdown[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  moveInMenu(event);
  if (typing(event.target)) return;
  if (event.key === "/") {
    const filter = document.querySelector("[data-filter]");
    if (filter) {
      event.preventDefault();
      filter.focus();
      filter.select();
    }
  }
  if (event.key === "?") showKeys();
});

// Up and down, to the first and to the last; from what opens the menu too.
function moveInMenu(event) {
  const menu = event.target.closest?.("details.dropdown");
  const summary = menu?.querySelector("summary");
  const isTyped = event.target.matches?.("input[type=search]");
  const keys = isTyped ? ["ArrowDown", "ArrowUp"] : ["ArrowDown", "ArrowUp", "Home", "End"];
  if (!menu || !keys.includes(event.key) || event.target.matches("select, textarea")) return;
  if (event.target === summary && !event.key.startsWith("Arrow")) return;
  event.preventDefault();
  menu.open = true;
  const items = all(".menu :is(a[href], button, input):not(:disabled, [type=hidden])", menu)
    .filter((el) => el.checkVisibility());
  const at = items.indexOf(event.target);
  const to = { ArrowDown: at + 1, ArrowUp: at < 0 ? -1 : at - 1 + items.length, Home: 0, End: -1 }[event.key];
  items.at(to < 0 ? to : to % items.length)?.focus();
}

document.addEventListener("submit", (event) => {
  const form = event.target;
  // By how many minutes UTC is ahead of the reader, at the end of the day that was chosen.
  for (const el of all("[data-zone]", form)) {
    const day = form.elements[el.dataset.zone]?.value;
    el.value = day ? new Date(`${day}T23:59`).getTimezoneOffset() : "";
  }
  // A download leaves the page as it is, and another one may follow.
  if (event.defaultPrevented || form.method === "dialog" || form.matches("[data-download]")) return;
  // After the browser has read which button was pressed.
  setTimeout(() => {
    for (const el of all("button:not([type=button], :disabled)", form)) {
      el.disabled = true;
      el.dataset.sent = "";
    }
  });
});

// The back button may bring the page back as it was left.
window.addEventListener("pageshow", () => {
  for (const el of all("[data-sent]")) {
    el.disabled = false;
    delete el.dataset.sent;
  }
  prepare();
});

function showKeys() {
  const dialog = document.getElementById("keys");
  if (dialog && !dialog.open) dialog.showModal();
}

async function copy(button) {
  const what = button.dataset.copy;
  const source = what.startsWith("#") && document.getElementById(what.slice(1));
  const text = source ? (source.value ?? source.textContent) : what;
  const label = button.querySelector("[data-label]") ?? button;
  try {
    await navigator.clipboard.writeText(text);
  } catch { // no clipboard without https: select it for the reader
    if (source.select) source.select();
    else if (source) getSelection().selectAllChildren(source);
    return;
  }
  const before = label.textContent;
  label.textContent = "Copied";
  setTimeout(() => { label.textContent = before; }, 1600);
}

function saveAsFile({ save: from, name }) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(["\ufeff", document.querySelector(from).textContent], { type: "text/csv" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

async function fileInto(area, file) {
  if (!area || !file) return;
  area.value = await file.text();
  area.focus();
}

document.addEventListener("dragover", (event) => {
  if (event.target.id === "emails") event.preventDefault();
});

document.addEventListener("drop", (event) => {
  const [file] = event.dataTransfer?.files ?? [];
  if (event.target.id !== "emails" || !file) return;
  event.preventDefault();
  fileInto(event.target, file);
});

function matchTyped(form) {
  const typed = form.elements.confirm?.value.trim();
  for (const el of all("button:not([type=button])", form)) el.disabled = typed !== form.dataset.confirmType;
}

// A proxy may have hidden the address that is in the bar from the server.
const elsewhere = document.querySelector("[data-public-address]");
if (elsewhere?.dataset.publicAddress === location.origin) elsewhere.remove();

// An exact moment is told in the reader's own time zone too; without the script, in UTC alone.
const ownTime = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

function tellOwnTime() {
  for (const el of all("time[title]:not([data-own])")) {
    const at = new Date(el.dateTime.replace(" ", "T"));
    el.dataset.own = "";
    if (!Number.isNaN(at.valueOf())) el.title = `${ownTime.format(at)} · ${el.title}`;
  }
}

function prepare() {
  for (const el of all("time[data-local]")) {
    const at = new Date(el.dateTime.replace(" ", "T"));
    if (!Number.isNaN(at.getTime())) el.textContent = at.toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  }
  tellOwnTime();
  all("form[data-confirm-type]").forEach(matchTyped);
  all("[data-complete]").forEach(offerScopes);
  countPicks(); // the browser may have kept what was ticked
}

fillSwitch();
fillRows(document);
prepare();
leaveInTime();
