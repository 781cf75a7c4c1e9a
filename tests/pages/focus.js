// Remembers how everything looks that Tab must reach, and from now on what it did reach.
const modal = document.querySelector("dialog:modal");
const usable = (el) => {
  const box = el.getBoundingClientRect();
  // Of radio buttons Tab reaches the one that is chosen, and arrows the others.
  const chosen = el.type === "radio" && document.querySelector(`input[type=radio][name="${el.name}"]:checked`);
  return (!chosen || chosen === el) && el.tabIndex >= 0 && !el.matches(":disabled") && box.width > 0 && box.height > 0
    && el.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && (!modal || modal.contains(el));
};
const look = (el) => {
  const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(el);
  return outlineStyle === "none" ? boxShadow : [outlineStyle, outlineWidth, outlineColor, boxShadow].join(" ");
};
document.activeElement?.blur();
const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
// Tab stops once in a group of radio buttons, at the one that is chosen; arrows do the rest.
const stop = (el) => {
  const group = all.filter((other) => other.type === "radio" && other.name === el.name && other.form === el.form);
  return el.type !== "radio" || el === (group.find((other) => other.checked) ?? group[0]);
};
const wanted = all.filter(usable).filter(stop);
const before = new Map(wanted.map((el) => [el, look(el)]));
const reached = new Map();
const reach = (el) => reached.has(el) || reached.set(el, look(el));
document.addEventListener("focusin", ({ target }) => reach(target));
document.addEventListener("keyup", () => reach(document.activeElement));
window.focusReport = () => wanted.flatMap((el) => {
  const name = el.outerHTML.slice(0, 140).replace(/\s+/g, " ");
  if (!reached.has(el)) return [`Tab never reached ${name}`];
  return reached.get(el) === before.get(el) ? [`nothing shows the focus on ${name}`] : [];
}).slice(0, 8);
window.focusMissing = () => wanted.some((el) => !reached.has(el));
// The next Tab starts from the top, also on a page that put the focus somewhere.
(modal ?? document.body).tabIndex = -1;
(modal ?? document.body).focus();
(modal ?? document.body).removeAttribute("tabindex");
return wanted.length + 2;
