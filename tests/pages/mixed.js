// Names in letters from right to left that could turn the words around them: those whose box says
// nothing about its direction. Words that are only heard and the letters of an avatar have none,
// and a sentence that the program put together holds its names as plain text.
const rightToLeft = /[\u0590-\u08ff]/;
const out = new Set();
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
for (let node = walk.nextNode(); node; node = walk.nextNode()) {
  if (!rightToLeft.test(node.data)) continue;
  if (node.parentElement.closest("[dir], bdi, option, .sr, .avatar")) continue;
  if (/[a-z]/i.test(node.data) && node.parentElement.closest(".toast, .status, li")) continue;
  out.add(`nothing sets apart ${node.parentElement.outerHTML.slice(0, 160)}`);
}
return [...out].slice(0, 8);
