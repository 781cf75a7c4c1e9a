// Whether an element of this page stands in its parent in a way that no page before it had: by name, classes and the
// state that styles and the keyboard depend on. Pages of one session are remembered.
const STATES = ["type", "role", "tabindex", "aria-current", "aria-invalid", "aria-expanded", "aria-pressed", "open", "popover"];
const kind = (el) => {
  const states = STATES.filter((name) => el.hasAttribute(name)).map((name) => `[${name}=${el.getAttribute(name)}]`);
  return el.tagName + [...el.classList].sort().join(".") + states.join("") + (el.matches(":disabled") ? ":disabled" : "");
};
const seen = new Set(JSON.parse(sessionStorage.getItem("kinds of elements") ?? "[]"));
const before = seen.size;
for (const el of document.body.querySelectorAll("*")) seen.add(`${kind(el.parentElement)} > ${kind(el)}`);
sessionStorage.setItem("kinds of elements", JSON.stringify([...seen]));
return seen.size > before;
