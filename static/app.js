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

// ---- forms that are saved when a box is ticked ---------------------------------------------------

// One after another: each answer brings the version that the next save of the same form must name.
let saves = Promise.resolve();
let waiting = 0;
const versions = new Map(); // form id → hidden fields as of our own last save of it

function saveOnChange(form) {
  const data = new URLSearchParams(new FormData(form, form.querySelector("button"))); // with its token
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

const hidden = (form) => JSON.stringify(all("input[type=hidden]", form).map((el) => [el.name, el.value]));

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
  if (!response.ok || waiting === 1) {
    versions.clear();
    if (!swap("main", page)) location.reload();
  }
  showToasts(page);
  if (response.ok) return;
  const notice = page.querySelector("main .notice-bad");
  if (fresh && notice) return say(notice.textContent.trim()); // the row is in view, its notice may not be
  document.title = page.title;
  document.querySelector("main").focus();
  scrollTo(0, 0);
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
  const rows = all("#results :is(tbody tr, .feed > li:not(.day))").length;
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
  if (typing(event.target) || event.ctrlKey || event.metaKey || event.altKey) return;
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

document.addEventListener("submit", (event) => {
  const form = event.target;
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

function matchTyped(form) {
  const typed = form.elements.confirm?.value.trim();
  for (const el of all("button:not([type=button])", form)) el.disabled = typed !== form.dataset.confirmType;
}

// A proxy may have hidden the address that is in the bar from the server.
const elsewhere = document.querySelector("[data-public-address]");
if (elsewhere?.dataset.publicAddress === location.origin) elsewhere.remove();

function prepare() {
  all("form[data-confirm-type]").forEach(matchTyped);
  all("[data-complete]").forEach(offerScopes);
  countPicks(); // the browser may have kept what was ticked
}

prepare();
leaveInTime();
