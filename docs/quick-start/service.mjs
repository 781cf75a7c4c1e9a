import { createServer } from "node:http";

async function may(user, action, kind) {
  const question = { subject: { type: "user", id: user }, action: { name: action }, resource: { type: kind, id: "all" } };
  const headers = { authorization: `Bearer ${process.env.BAILIWICK_KEY}`, "content-type": "application/json" };
  const answer = await fetch(`${process.env.BAILIWICK_URL}/access/v1/evaluation`, { method: "POST", headers, body: JSON.stringify(question) });
  return answer.ok && (await answer.json()).decision === true;
}

createServer(async (request, response) => {
  // Who it is, your own sign-in knows; here a header says so.
  response.statusCode = (await may(request.headers["x-user"] ?? "nobody", "read", "posts").catch(() => false)) ? 200 : 403;
  response.end();
}).listen(process.env.PORT, "127.0.0.1");
