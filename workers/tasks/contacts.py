"""What an operator does to a contact, as tasks (contract §2)."""

from typing import Any

from halo_engine.audit import Via
from halo_engine.contacts.unsuppress import UnsuppressCall, unsuppress
from halo_engine.domain.errors import validated
from halo_engine.work import OrgRef
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.calls import OrganizationCall


class _UnsuppressCall(OrganizationCall, UnsuppressCall):
    """Such a call of an organisation's."""


@app.task(base=OperatorTask, name="halo.contacts.unsuppress")
def unsuppress_contact(**fields: Any) -> Any:
    """Lift what suppresses a contact's address, for a reason that is kept (contract §2)."""
    asked = validated(_UnsuppressCall, fields, "halo.contacts.unsuppress")
    answered = engine().perform(
        OrgRef(key=asked.org), lambda work: unsuppress(work, asked, Via.TASK)
    )
    return answered.model_dump(mode="json")
