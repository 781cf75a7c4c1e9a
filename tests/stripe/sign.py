"""Signs messages with Stripe's own library: one JSON object a line with `secret`, `payload` and `timestamp`. Prints the
header of each. The library takes it back, which says that its clock is not asked."""

import json
import sys

from stripe import WebhookSignature

for line in sys.stdin:
    message = json.loads(line)
    payload, secret, timestamp = message["payload"], message["secret"], message["timestamp"]
    header = WebhookSignature.generate_signature_header(payload, secret, timestamp=timestamp)
    assert WebhookSignature.verify_header(payload, header, secret)
    print(header, flush=True)
