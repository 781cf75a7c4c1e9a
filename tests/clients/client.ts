// A client with the types that openapi-typescript generates from /openapi.json: it lists members, creates a role and
// asks for decisions. What it receives, it prints as JSON.
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const [baseUrl = "", key = "", user = ""] = process.argv.slice(2);
const api = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${key}` } });

async function members(): Promise<string[]> {
  const names: string[] = [];
  let after: string | undefined;
  do {
    const { data, error } = await api.GET("/api/sso/v1/members", { params: { query: { limit: 2, after } } });
    if (!data) throw new Error(error.detail);
    if (data.items.length > 2) throw new Error("more items than the limit");
    names.push(...data.items.map((member: components["schemas"]["MemberBody"]) => member.name));
    after = data.next;
  } while (after);
  return names;
}

async function role(name: string, scopes: string[]) {
  const { data, error, response } = await api.POST("/api/sso/v1/roles", { body: { name, slug: "auditor", scopes } });
  const location = response.headers.get("location");
  return { slug: data?.slug ?? null, refused: error?.status ?? null, location };
}

async function decision(action: string): Promise<boolean> {
  const { data, error } = await api.POST("/access/v1/evaluation", {
    body: { subject: { type: "user", id: user }, action: { name: action }, resource: { type: "record", id: "42" } },
  });
  if (!data) throw new Error(error.detail);
  return data.decision;
}

console.log(
  JSON.stringify({
    members: await members(),
    created: await role("Auditor", ["read:ledger"]),
    refused: await role("Another", ["write:ledger"]),
    may_read: await decision("read"),
    may_write: await decision("write"),
  }),
);
