#!/usr/bin/env bash
# standardwebhooks 1.1.0: `Webhook.sign` takes the timestamp as a datetime, and reads one that has a
# zone other than UTC by its wall clock, as if it were UTC. The signature is then of another second than
# the `webhook-timestamp` that the same instant gives, and `verify` refuses it. Whoever signs passes UTC.
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check standardwebhooks==1.1.0
"$folder/venv/bin/python" - <<'PYTHON'
import sys
from datetime import datetime, timedelta, timezone
from importlib.metadata import version

from standardwebhooks import Webhook, WebhookVerificationError

webhook = Webhook("whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
body = '{"type": "mail.received"}'


def is_taken(now):
    """Return whether what is signed at an instant is taken with that instant's timestamp."""
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": webhook.sign("msg_1", now, body),
    }
    try:
        webhook.verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


utc = datetime.now(timezone.utc)
berlin = utc.astimezone(timezone(timedelta(hours=2)))
print("standardwebhooks", version("standardwebhooks"))
print("expected: the same instant is signed the same, in whatever zone it is written")
print("seen: taken in UTC:", is_taken(utc), "- two hours east of it:", is_taken(berlin))
sys.exit(0 if (is_taken(utc), is_taken(berlin)) == (True, False) else 1)
PYTHON
