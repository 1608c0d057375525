#!/usr/bin/env bash
# Python's binascii.b2a_qp (3.11): a blank at the
# end of a line becomes "=20" without a look at the line's length, which then is 77 or 78 characters.
# RFC 2045, 6.7 (5) allows 76. So `mail/composing/quoted_printable.py` cuts such lines.
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail
python3 - <<'PYTHON'
import sys
from binascii import b2a_qp

longest = [max(map(len, b2a_qp(b"x" * number + b" \n").split(b"\n"))) for number in (73, 74, 75, 76)]
print(sys.version.split()[0], "expected [76, 77, 78, 76], seen", longest)
sys.exit(0 if longest == [76, 77, 78, 76] else 1)
PYTHON
