// Each pattern of /openapi.json is a regular expression of JavaScript, with and without its flag `u`. Prints how many.
import { readFileSync } from "node:fs";

let count = 0;
function walk(part) {
  if (typeof part !== "object" || part === null) return;
  if (typeof part.pattern === "string") {
    new RegExp(part.pattern, "u");
    new RegExp(part.pattern);
    count += 1;
  }
  Object.values(part).forEach(walk);
}
walk(JSON.parse(readFileSync(process.argv[2], "utf8")));
console.log(count);
