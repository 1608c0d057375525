"""What failed and is parked, as tasks: listed, tried again, discarded (contract §10)."""

from typing import Any, Final

from halo_engine.answers.parked import ListParked, Sort, WhichParked, list_parked
from halo_engine.domain.errors import validated
from halo_engine.pipeline.parked import discard_parked, retry_parked
from halo_engine.work import OrgRef
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.calls import OrganizationCall

_CHANGES: Final = {"retry": retry_parked, "discard": discard_parked}


class _ListCall(ListParked, OrganizationCall):
    """Of which series, if not of all."""


class _ChangeCall(WhichParked, OrganizationCall):
    """Which of them: by ``ids``, of a ``series``, or ``all``."""


def _listing(sort: Sort) -> None:
    """Make the task that lists what of this sort is parked."""
    name = f"halo.{sort}.list"

    @app.task(base=OperatorTask, name=name)
    def run(**fields: Any) -> list[Any]:
        asked = validated(_ListCall, fields, name)
        listed = engine().ask(OrgRef(key=asked.org), lambda work: list_parked(work, sort, asked))
        return [each.model_dump(mode="json") for each in listed]


def _changing(sort: Sort, verb: str) -> None:
    """Make the task form of what a person does about it."""
    name, change = f"halo.{sort}.{verb}", _CHANGES[verb]

    @app.task(base=OperatorTask, name=name)
    def run(**fields: Any) -> Any:
        asked = validated(_ChangeCall, fields, name)
        answer = engine().perform(OrgRef(key=asked.org), lambda work: change(work, sort, asked))
        return answer.model_dump(mode="json")


for _sort in Sort:
    _listing(_sort)
    for _verb in _CHANGES:
        _changing(_sort, _verb)
