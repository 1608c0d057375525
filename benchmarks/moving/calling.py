"""A caller who goes on while an organisation moves."""

import threading
import time
from dataclasses import dataclass, field

from benchmarks.ground import ORG
from halo_engine.contacts.identifying.identify import IdentifyCall, identify
from halo_engine.database import MovedAway
from halo_engine.engine import Engine
from halo_engine.work import OrgRef


@dataclass
class Caller:
    """Identifies one contact after the other, wherever the organisation is; keeps how long each
    call took, in seconds.
    """

    engines: dict[str, Engine]
    cell: str = "a"
    took: list[float] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Call until it is over."""
        number = 0
        while not self.over.is_set():
            number += 1
            began = time.perf_counter()
            self._call(IdentifyCall(user_id=f"new-{number}", traits={"plan": "pro"}))
            self.took.append(time.perf_counter() - began)

    def _call(self, call: IdentifyCall) -> None:
        while True:
            try:
                self.engines[self.cell].perform(OrgRef(key=ORG), lambda work: identify(work, call))
            except MovedAway as moved:
                self.cell = moved.cell
            else:
                return
