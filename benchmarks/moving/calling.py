"""A caller who goes on while an organisation moves."""

import threading
import time
from dataclasses import dataclass, field
from typing import Final

from benchmarks.ground import ORG
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.database import MovedAway
from halo_engine.engine import Engine
from halo_engine.work import OrgRef

#: So many calls a second, whether or not the last one has been answered by then.
RATE: Final = 100


@dataclass
class Caller:
    """Identifies new contacts, wherever the organisation is; keeps how many seconds after it was
    due each call was answered.
    """

    engines: dict[str, Engine]
    name: str
    cell: str = "a"
    took: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Call until it is over."""
        began = time.perf_counter()
        number = 0
        while not self.over.wait(max(0.0, began + number / RATE - time.perf_counter())):
            self._call(IdentifyCall(user_id=f"{self.name}-{number}", traits={"plan": "pro"}))
            self.took.append(time.perf_counter() - began - number / RATE)
            number += 1

    def _call(self, call: IdentifyCall) -> None:
        while True:
            try:
                self.engines[self.cell].perform(OrgRef(key=ORG), lambda work: identify(work, call))
            except MovedAway as moved:
                self.cell = moved.cell
            else:
                return
