"""The series automation engine: what happened and what time it is decide who is sent what."""

from typing import Final

from halo_engine.domain.zone_data import ZoneData, read_newest

#: The time zones that all of the engine goes by; chosen here, before anything reads one.
ZONE_DATA: Final[ZoneData] = read_newest()
