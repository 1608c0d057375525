"""The series automation engine: from what happened and the time it decides which mail to send."""

from typing import Final

from halo_engine.domain.times.zone_data import ZoneData, read_newest

#: The time zones of the engine; chosen here, before any zone is read.
ZONE_DATA: Final[ZoneData] = read_newest()
