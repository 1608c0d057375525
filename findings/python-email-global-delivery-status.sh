#!/usr/bin/env bash
# Python's email package splits message/delivery-status (RFC 3464) into its blocks: one Message for
# the report, one for each recipient. message/global-delivery-status is the same for addresses that
# are not ASCII (RFC 6533, section 3), with the same blocks separated in the same way. Of that it
# reads the first block alone, and leaves the recipients, with what became of them, in the payload
# of that Message as text: get_payload() of the part has one item, and nobody's Status is in it.
#
# A program that looks through the parts of a report for Status finds none in such a report. What
# helps is to split the text of the first item at its blank lines.
#
# Exits 0 while it is as described, 1 when it changed.
set -euo pipefail

python3 - <<'PYTHON'
import platform
import sys
from email import message_from_string

REPORT = """\
Content-Type: message/{kind}

Reporting-MTA: dns; mx.example.net

Final-Recipient: {type}; ann@example.net
Action: failed
Status: 5.1.1
"""


def statuses(kind, type_):
    """Return the Status of each block that the parser finds."""
    report = message_from_string(REPORT.format(kind=kind, type=type_))
    return [block["Status"] for block in report.get_payload()]


plain = statuses("delivery-status", "rfc822")
utf8 = statuses("global-delivery-status", "utf-8")
print(f"Python {platform.python_version()}")
print(f"message/delivery-status:        {plain}")
print(f"message/global-delivery-status: {utf8}")
print("expected of both:               [None, '5.1.1']")
sys.exit(0 if (plain, utf8) == ([None, "5.1.1"], [None]) else 1)
PYTHON
