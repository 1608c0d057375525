"""What calls of tasks have in common: when they were sent; operators', whose they are, and what
about (§2, §10, §11).
"""

from typing import Any

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.domain.instants import format_instant
from workers.deliveries import first_delivered


def sending_time(request: Any, sent_at: str | None) -> str | None:
    """Return when a task's call was sent: as it says itself, else when its message, which comes
    again, was first delivered; None where nobody knows.

    ``request`` is the running task's.
    """
    if sent_at is not None:
        return sent_at
    first = first_delivered(request)
    return None if first is None else format_instant(first)


class OrganizationCall(Call):
    """A call about an organisation, by its key."""

    org: Identifier


class SeriesCall(OrganizationCall):
    """A call about one of its series, by its key."""

    series: Identifier


class ContactCall(SeriesCall):
    """A call about a contact and a series: by ``user_id``, or by email where it has none."""

    contact: Identifier


class OperatorCall(SeriesCall):
    """What an operator does to a series, and in whose name."""

    by: Identifier = "operator"
