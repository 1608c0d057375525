"""What signals leave for the next pass, in the transaction that handles them (contract §2, §4)."""

from collections.abc import Sequence

from halo_engine.domain.series.running import RunningSeries
from halo_engine.domain.series.signals import Signal
from halo_engine.domain.series.triggers import SUPPRESSION_KEY
from halo_engine.series.noting import note_companies, note_contacts
from halo_engine.work import Work


def note_for_pass(work: Work, running: RunningSeries, signals: Sequence[Signal]) -> None:
    """Note the contacts and companies of those signals that may let somebody enter a series that
    they do not trigger.

    A suppression is an address', so it concerns all contacts that have it.
    """
    noted = running.for_next_pass(signals)
    note_contacts(
        work,
        {each.contact_id: SUPPRESSION_KEY in each.changed for each in noted if each.contact_id},
    )
    note_companies(work, {each.company_id for each in noted if each.company_id})
