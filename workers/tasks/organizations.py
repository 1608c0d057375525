"""Organisations as tasks: erasing one (contract §2)."""

import time
from functools import partial
from typing import Any

from halo_engine.contacts.erasure import erase_organization
from halo_engine.domain.errors import validated
from halo_engine.settings import TURN_SECONDS
from halo_engine.work import OrgRef
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.calls import OrganizationCall


@app.task(base=OperatorTask, name="halo.organizations.erase")
def erase(**fields: Any) -> dict[str, Any]:
    """Erase an organisation for good (contract §2); what one turn leaves, a new task goes on with.

    ``done`` says whether it is gone by now.
    """
    org = validated(OrganizationCall, fields, "halo.organizations.erase").org
    ends = time.monotonic() + TURN_SECONDS
    rows = 0
    for page in erase_organization(partial(engine().perform, OrgRef(key=org))):
        rows += page
        if time.monotonic() > ends:
            erase.delay(org=org)
            return {"org": org, "rows": rows, "done": False}
    return {"org": org, "rows": rows, "done": True}
