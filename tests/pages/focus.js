// Remembers how everything looks that Tab must reach, and from now on what it did reach.
const modal = document.querySelector("dialog:modal");
const usable = (el) => {
  const box = el.getBoundingClientRect();
  return el.tabIndex >= 0 && !el.matches(":disabled") && box.width > 0 && box.height > 0
    && el.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && (!modal || modal.contains(el));
};
const look = (el) => {
  const { outlineStyle, outlineWidth, outlineColor, boxShadow } = getComputedStyle(el);
  return outlineStyle === "none" ? boxShadow : [outlineStyle, outlineWidth, outlineColor, boxShadow].join(" ");
};
document.activeElement?.blur();
const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
const wanted = all.filter(usable);
const before = new Map(wanted.map((el) => [el, look(el)]));
const reached = new Map();
document.addEventListener("focusin", ({ target }) => reached.set(target, look(target)));
window.focusReport = () => wanted.flatMap((el) => {
  const name = el.outerHTML.slice(0, 140).replace(/\s+/g, " ");
  if (!reached.has(el)) return [`Tab never reached ${name}`];
  return reached.get(el) === before.get(el) ? [`nothing shows the focus on ${name}`] : [];
}).slice(0, 8);
// The next Tab starts from the top, also on a page that put the focus somewhere.
(modal ?? document.body).tabIndex = -1;
(modal ?? document.body).focus();
(modal ?? document.body).removeAttribute("tabindex");
// A date is reached in its day, month, year and calendar.
return wanted.length + 3 * document.querySelectorAll("input[type=date]").length + 2;
