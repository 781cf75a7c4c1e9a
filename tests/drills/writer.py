"""Invites people one after the other until the server is gone. Each one that was acknowledged is written down at once:
the time in seconds, and the address."""

import json
import sys
import time
import urllib.error
import urllib.request

server, key, path = sys.argv[1:4]
prefix = sys.argv[4] if len(sys.argv) > 4 else "guest"

with open(path, "a", buffering=1) as log:
    for number in range(900):  # 1,000 addresses an hour are allowed
        email = f"{prefix}-{number}@example.com"
        request = urllib.request.Request(
            f"{server}/api/sso/v1/invitations",
            data=json.dumps({"emails": [email], "roles": ["viewer"]}).encode(),
            headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
            method="POST",
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as response:
                response.read()
        except urllib.error.HTTPError as error:
            sys.exit(f"{email}: {error.code} {error.read()[:200]}")
        except OSError:
            break
        log.write(f"{time.time():.3f} {email}\n")
        time.sleep(0.02)
