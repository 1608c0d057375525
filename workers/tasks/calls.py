"""The fields that operators' tasks share: organisation, series, contact (§10, §11)."""

from halo_engine.contacts.calls import Call, Identifier


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
