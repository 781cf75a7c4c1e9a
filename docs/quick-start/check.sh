#!/bin/sh
# Checks whether a user can read posts. Exits with 0 if so: sh check.sh USER
set -eu
question='{"subject": {"type": "user", "id": "'$1'"}, "action": {"name": "read"}, "resource": {"type": "posts", "id": "all"}}'
curl --silent --show-error --fail "$BAILIWICK_URL/access/v1/evaluation" \
    -H "Authorization: Bearer $BAILIWICK_KEY" -H "Content-Type: application/json" -d "$question" |
    grep -q '"decision":true'
