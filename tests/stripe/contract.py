"""Checks requests and answers against a part of the OpenAPI document of Stripe: one JSON object a line with `method`, `path`
(with its query), `body` (a form), `status` and `answer`. Prints `ok`, or what is wrong, for each."""

import json
import re
import sys
from urllib.parse import parse_qsl, urlsplit

import jsonschema_rs

document = json.load(open(sys.argv[1], encoding="utf-8"))


def plain(schema):
    """A schema of OpenAPI 3.0 as one of JSON Schema: `nullable` is another type."""
    if isinstance(schema, list):
        return [plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: plain(value) for name, value in schema.items()}
    if schema.pop("nullable", False) is True:
        return {"anyOf": [schema, {"type": "null"}]}
    return schema


components = plain(document["components"])


def complaints(schema, value):
    whole = {**plain(schema), "components": components}
    return [f"{error.instance_path}: {error.message}" for error in jsonschema_rs.Draft7Validator(whole).iter_errors(value)]


def operation(method, path):
    for pattern, methods in document["paths"].items():
        named = re.fullmatch(re.sub(r"\{\w+\}", r"[A-Za-z0-9_]+", pattern), path)
        if named and method.lower() in methods:
            return methods[method.lower()]
    return None


def typed(schema, text):
    """What a field of a form says, as its schema has it."""
    kinds = [schema.get("type")] + [one.get("type") for one in schema.get("anyOf", [])]
    if "integer" in kinds and re.fullmatch(r"-?\d+", text):
        return int(text)
    if "boolean" in kinds and text in ("true", "false"):
        return text == "true"
    return text


def tree(schema, body):
    """A form as Stripe reads it: `metadata[invoice]=x` is a field of an object."""
    values = {}
    for name, text in parse_qsl(body, keep_blank_values=True, strict_parsing=bool(body)):
        parts = re.findall(r"[^\[\]]+", name)
        at, of = values, schema
        for part in parts[:-1]:
            at = at.setdefault(part, {})
            of = of.get("properties", {}).get(part, {})
        if parts[-1] in at:
            raise ValueError(f"{name} is there twice")
        of = of.get("properties", {}).get(parts[-1], {})
        at[parts[-1]] = typed(of, text)
    return values


def check(exchange):
    address = urlsplit(exchange["path"])
    known = operation(exchange["method"], address.path)
    if known is None:
        return f"there is no {exchange['method']} {address.path}"
    wrong = []
    if "requestBody" in known:
        schema = known["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
        wrong += complaints(schema, tree(schema, exchange["body"]))
    elif exchange["body"]:
        wrong.append("it has a body")
    allowed = {one["name"] for one in known.get("parameters", []) if one["in"] == "query"}
    for name, _ in parse_qsl(address.query, strict_parsing=bool(address.query)):
        if name.split("[")[0] not in allowed:
            wrong.append(f"it has no parameter {name}")
    # Garbage and an end without an answer are no answers of Stripe.
    if exchange["answer"] is not None:
        status = "200" if exchange["status"] == 200 else "default"
        schema = known["responses"][status]["content"]["application/json"]["schema"]
        wrong += [f"answer {complaint}" for complaint in complaints(schema, exchange["answer"])]
    return "; ".join(wrong) or "ok"


for line in sys.stdin:
    try:
        print(check(json.loads(line)), flush=True)
    except ValueError as error:
        print(f"{error}", flush=True)
