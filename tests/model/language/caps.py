"""Frequency caps (contract §20)."""

from datetime import timedelta
from typing import Any

from tests.model.language.clock import parse_duration
from tests.model.language.refusals import RefusedError, refuse_unless

Caps = list[tuple[int, timedelta]]


def parse_caps(raw: Any) -> Caps:
    """Read `frequency_caps`: how many mails, within how long; raises `RefusedError`."""
    caps: Caps = []
    refuse_unless(raw is None or isinstance(raw, list), 400, "frequency_caps are a list")
    for each in raw or []:
        known = isinstance(each, dict) and set(each) == {"at_most", "within"}
        refuse_unless(known, 400, "a cap has at_most and within")
        try:
            within = parse_duration(each["within"])
        except ValueError as error:
            raise RefusedError(400, str(error)) from None
        refuse_unless(each["at_most"] >= 1 and within, 400, "a cap allows some mail")
        caps.append((each["at_most"], within))
    return caps
