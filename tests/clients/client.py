"""A client that openapi-python-client generates from /openapi.json: it lists members, creates a role and asks for
decisions. What it receives, it prints as JSON."""

import json
import sys

from bailiwick_client import AuthenticatedClient
from bailiwick_client.api.decisions import evaluate_access
from bailiwick_client.api.members import list_members
from bailiwick_client.api.roles import create_role
from bailiwick_client.models import (
    ActionOfDecision,
    Evaluation,
    MemberBodyPage,
    NewRole,
    Problem,
    ResourceOfDecision,
    SubjectOfDecision,
)
from bailiwick_client.types import UNSET

url, key, user = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=key, timeout=120, raise_on_unexpected_status=True)


def members():
    names, after = [], UNSET
    while True:
        page = list_members.sync(client=client, limit=2, after=after)
        assert isinstance(page, MemberBodyPage), page
        assert len(page.items) <= 2, "more items than the limit"
        names += [member.name for member in page.items]
        if not page.next_:
            return names
        after = page.next_


def role(name, scopes):
    response = create_role.sync_detailed(client=client, body=NewRole(name=name, slug="auditor", scopes=scopes))
    refused = response.parsed.status if isinstance(response.parsed, Problem) else None
    slug = None if refused else response.parsed.slug
    return {"slug": slug, "refused": refused, "location": response.headers.get("location")}


def decision(action):
    question = Evaluation(
        subject=SubjectOfDecision(type_="user", id=user),
        action=ActionOfDecision(name=action),
        resource=ResourceOfDecision(type_="record", id="42"),
    )
    return evaluate_access.sync(client=client, body=question).decision


print(
    json.dumps(
        {
            "members": members(),
            "created": role("Auditor", ["read:ledger"]),
            "refused": role("Another", ["write:ledger"]),
            "may_read": decision("read"),
            "may_write": decision("write"),
        }
    )
)
