import { createServer } from "node:http";

async function may(user, action, kind) {
  const question = { subject: { type: "user", id: user }, action: { name: action }, resource: { type: kind, id: "all" } };
  const headers = { authorization: `Bearer ${process.env.BAILIWICK_KEY}`, "content-type": "application/json" };
  const url = `${process.env.BAILIWICK_URL}/access/v1/evaluation`;
  const answer = await fetch(url, { method: "POST", headers, body: JSON.stringify(question) });
  return answer.ok && (await answer.json()).decision === true;
}

createServer(async (request, response) => {
  // Your own sign-in knows who the user is. Here, a header says so.
  const user = request.headers["x-user"] ?? "nobody";
  response.statusCode = (await may(user, "read", "posts").catch(() => false)) ? 200 : 403;
  response.end();
}).listen(process.env.PORT ?? 3000, "127.0.0.1");
