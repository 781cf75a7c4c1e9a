"""Verifies messages with the libraries that receivers use: one JSON object a line with `secret`, `headers` and `body`.
Prints `ok` where both take it, and otherwise which one refused it. Times are those of the message itself."""

import json
import sys
import time
from unittest import mock

import standardwebhooks.webhooks
import svix.webhooks


def verify(message):
    headers, body, secret = message["headers"], message["body"], message["secret"]
    for library in (standardwebhooks.webhooks, svix.webhooks):
        try:
            verified = library.Webhook(secret).verify(body, headers)
        except Exception as error:  # noqa: BLE001: whatever it is, it was refused
            return f"{library.__name__}: {type(error).__name__}"
        if verified is not None and verified != json.loads(body):
            return f"{library.__name__}: another body"
    return "ok"


def at(seconds):
    """The clock of a test stands still, so the libraries are given the same."""
    from datetime import datetime, timezone

    class Frozen(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.fromtimestamp(seconds, tz=tz or timezone.utc)

    return Frozen


for line in sys.stdin:
    message = json.loads(line)
    seconds = int(message["headers"]["webhook-timestamp"])
    now = message.get("now", seconds)
    with (
        mock.patch.object(standardwebhooks.webhooks, "datetime", at(now)),
        mock.patch.object(time, "time", lambda: float(now)),
    ):
        print(verify(message), flush=True)
