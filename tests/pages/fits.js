// What is wider than the screen: boxes and words that stick out at a side, unless something around
// them scrolls or cuts them off (that box is looked at itself).
const width = document.documentElement.clientWidth;
const cut = (el) => {
  for (let up = el.parentElement; up && up !== document.body; up = up.parentElement) {
    const style = getComputedStyle(up);
    if (style.overflowX !== "visible" || style.clipPath !== "none") return true;
  }
  return getComputedStyle(el).clipPath !== "none";
};
const told = (el) => {
  const name = el.tagName.toLowerCase() + (el.id ? `#${el.id}` : "") + [...el.classList].map((c) => `.${c}`).join("");
  return `${name} in ${el.parentElement?.tagName.toLowerCase()}.${el.parentElement?.className}`;
};
const out = new Set();
const look = (rect, el, what) => {
  if (rect.width < 1 || rect.height < 1 || !el.checkVisibility()) return;
  if ((rect.right > width + 1 || rect.left < -1) && !cut(el)) {
    out.add(`${what} of ${told(el)} goes from ${Math.round(rect.left)} to ${Math.round(rect.right)}`);
  }
};
const page = document.scrollingElement.scrollWidth;
if (page > width) out.add(`the page is ${page} wide`);
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_ELEMENT | NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  if (node.nodeType === Node.ELEMENT_NODE) {
    look(node.getBoundingClientRect(), node, "the box");
  } else if (node.data.trim() !== "") {
    const style = getComputedStyle(node.parentElement);
    if (style.overflowX !== "visible") continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const rect of range.getClientRects()) look(rect, node.parentElement, "the text");
  }
}
return [...out].slice(0, 8);
