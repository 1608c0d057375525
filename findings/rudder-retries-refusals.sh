#!/usr/bin/env bash
# rudder-sdk-python 2.1.9 gives up at once on a status from 400 to 499, by its own comment: "don't
# retry on other client errors". It reads `code` and `message` of the answer's JSON to say why. If the
# answer is JSON without one of the two (a problem of RFC 9457, say), that reading raises KeyError in
# place of its APIError. KeyError counts as a broken connection, so a batch that can never be taken is
# sent again, with growing pauses, up to ten times by default. An answer that is no JSON is read right.
# A server that refuses it says `code` and `message`.
#
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check rudder-sdk-python==2.1.9
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import version

from rudderstack.analytics.client import Client

logging.disable(logging.CRITICAL)
answer = b""
tries = 0


class Refusing(BaseHTTPRequestHandler):
    """Answers 400 to whatever comes."""

    def do_POST(self):
        global tries
        tries += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(400)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Say nothing."""


def tries_at(body):
    """Return how often a batch is sent that is answered 400 with this body."""
    global answer, tries
    answer, tries = body, 0
    client = Client("key", host=url, max_retries=2, upload_interval=0.05)
    client.track("ann", "paid")
    client.flush()
    client.join()
    return tries


server = HTTPServer(("127.0.0.1", 0), Refusing)
url = f"http://127.0.0.1:{server.server_port}"
threading.Thread(target=server.serve_forever, daemon=True).start()
seen = {
    "no JSON": tries_at(b"refused"),
    "code and message": tries_at(b'{"code": "bad", "message": "bad"}'),
    "no message": tries_at(b'{"code": "bad", "detail": "bad"}'),
    "no code": tries_at(b'{"message": "bad"}'),
}
server.shutdown()
print("rudder-sdk-python", version("rudder-sdk-python"))
print("expected: a batch that is answered 400 is sent once, whatever the answer's body")
print("seen:", seen)
sys.exit(0 if list(seen.values()) == [1, 1, 3, 3] else 1)
PYTHON
