"""All doors by name. A door added here is a task, a route, a schema and a page of the reference."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from halo_engine.doors import (
    applications,
    batch,
    finding,
    imports,
    mail,
    operators,
    organization,
    webhooks,
)
from halo_engine.doors.door import AnyDoor
from halo_engine.doors.series import asking as asking_series
from halo_engine.doors.series import changing as changing_series
from halo_engine.doors.series import releasing as releasing_series

DOORS: Final[Mapping[str, AnyDoor]] = MappingProxyType(
    {
        door.name: door
        for room in (
            applications,
            batch,
            asking_series,
            changing_series,
            releasing_series,
            finding,
            imports,
            mail,
            organization,
            operators,
            webhooks,
        )
        for door in room.DOORS
    }
)
