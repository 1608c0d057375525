"""Series as tasks: what operators do to them, and ask about them (contract §8, §10)."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import BaseModel, Field

from halo_engine.answers.diagnose import diagnose
from halo_engine.answers.explain import Explanation, explain
from halo_engine.answers.failures import PAGE as FAILURES_PAGE
from halo_engine.answers.failures import FailurePage, failures
from halo_engine.answers.funnel import funnel
from halo_engine.answers.ledger import ledger
from halo_engine.answers.overview import overview
from halo_engine.answers.preview import PAGE, Preview, preview
from halo_engine.contacts.finding import find_contacts
from halo_engine.domain.errors import validated
from halo_engine.domain.series import Series
from halo_engine.journey.removal import remove, stop_series
from halo_engine.series import lifecycle
from halo_engine.series.apply import apply_in_parts
from halo_engine.series.check import check
from halo_engine.series.files import parse_series
from halo_engine.series.orders import Ordered, in_order
from halo_engine.series.showing import show_series
from halo_engine.work import OrgRef, Work
from workers.app import app
from workers.engine import engine
from workers.orders import OperatorTask
from workers.tasks.calls import ContactCall, OperatorCall, OrganizationCall, SeriesCall


def _operation(name: str, change: Callable[[Work, str, str], Series]) -> None:
    """Make the task form of what an operator does to a series (contract §8)."""

    @app.task(base=OperatorTask, name=name, bind=True)
    def run(task: OperatorTask, /, **fields: Any) -> dict[str, str]:
        asked, sent_at = validated(OperatorCall, fields, name), task.sent_at

        def changed(work: Work) -> dict[str, str]:
            with in_order(work, [asked.series], Ordered.STATUS, sent_at):
                change(work, asked.series, asked.by)
            status = lifecycle.find_series(work, asked.series).status
            return {"series": asked.series, "status": status}

        return engine().perform(OrgRef(key=asked.org), changed)


def _question(name: str, ask: Callable[[Work, Series], BaseModel]) -> None:
    """Make the task form of a question about a series, which changes nothing (contract §10)."""

    @app.task(base=OperatorTask, name=name)
    def run(**fields: Any) -> Any:
        asked = validated(SeriesCall, fields, name)
        answer = engine().ask(
            OrgRef(key=asked.org), lambda work: ask(work, lifecycle.find_series(work, asked.series))
        )
        return answer.model_dump(mode="json")


#: What operators do to a series (contract §8).
OPERATIONS: Final[Mapping[str, Callable[[Work, str, str], Series]]] = {
    "halo.series.activate": lifecycle.activate,
    "halo.series.pause": lifecycle.pause,
    "halo.series.resume": lifecycle.resume,
}
for _name, _change in OPERATIONS.items():
    _operation(_name, _change)

#: What operators ask about a series (contract §10).
QUESTIONS: Final[Mapping[str, Callable[[Work, Series], BaseModel]]] = {
    "halo.series.check": check,
    "halo.series.show": lambda work, series: show_series(work, series.key),
    "halo.series.diagnose": diagnose,
    "halo.series.ledger": ledger,
    "halo.series.funnel": funnel,
}
for _name, _ask in QUESTIONS.items():
    _question(_name, _ask)


class _ApplyCall(OrganizationCall):
    """Definitions by key; ``dry_run`` refuses what saving would refuse, and saves nothing."""

    series: dict[str, Any]
    dry_run: bool = False


@app.task(base=OperatorTask, name="halo.series.apply", bind=True)
def apply_series(task: OperatorTask, /, **fields: Any) -> list[Any]:
    """Save the definitions that ``series`` holds by key, those that differ (§8).

    If one is refused, nothing is saved.
    """
    asked = validated(_ApplyCall, fields, "halo.series.apply")
    definitions = parse_series({"series": asked.series}, "halo.series.apply")
    transact = partial(engine().perform, OrgRef(key=asked.org))
    parts = apply_in_parts(transact, definitions, dry_run=asked.dry_run, sent_at=task.sent_at)
    return [each.model_dump(mode="json") for part in parts for each in part]


@app.task(base=OperatorTask, name="halo.series.list")
def list_series(**fields: Any) -> list[Any]:
    """Return a line for each series of the organisation, in order of creation."""
    asked = validated(OrganizationCall, fields, "halo.series.list")
    listed = engine().ask(OrgRef(key=asked.org), overview)
    return [each.model_dump(mode="json") for each in listed]


@app.task(base=OperatorTask, name="halo.series.stop", bind=True)
def stop(task: OperatorTask, /, **fields: Any) -> dict[str, Any]:
    """Complete a series for good, and end every enrollment in it (contract §6)."""
    asked = validated(OperatorCall, fields, "halo.series.stop")
    transact = partial(engine().perform, OrgRef(key=asked.org))
    removed = stop_series(transact, asked.series, asked.by, task.sent_at)
    return {"series": asked.series, "status": "completed", "removed": removed}


@app.task(base=OperatorTask, name="halo.series.remove", bind=True)
def remove_contact(task: OperatorTask, /, **fields: Any) -> dict[str, str]:
    """End a contact's enrollment in a series (contract §6)."""
    asked, sent_at = validated(ContactCall, fields, "halo.series.remove"), task.sent_at

    def removed(work: Work) -> None:
        [contact_id] = find_contacts(work, [asked.contact])
        remove(work, contact_id, lifecycle.find_series(work, asked.series), sent_at)

    engine().perform(OrgRef(key=asked.org), removed)
    return {"series": asked.series, "contact": asked.contact, "exit_reason": "manual"}


class _PreviewCall(SeriesCall):
    """Which page of the matches: ``size`` of them, after the contact of that id."""

    # JSON has no UUIDs, only texts that are one.
    after: Annotated[UUID, Field(strict=False)] | None = None
    size: int = Field(default=PAGE, ge=1, le=1000)


@app.task(base=OperatorTask, name="halo.series.preview")
def preview_series(**fields: Any) -> Any:
    """Return how many contacts a series matches now, and a page of them (contract §10)."""
    asked = validated(_PreviewCall, fields, "halo.series.preview")

    def previewed(work: Work) -> Preview:
        found = lifecycle.find_series(work, asked.series)
        return preview(work, found, after=asked.after, size=asked.size)

    return engine().ask(OrgRef(key=asked.org), previewed).model_dump(mode="json")


class _FailuresCall(SeriesCall):
    """Which page of the mails that were not sent: ``size`` of them, after the row ``after``."""

    after: int | None = Field(default=None, ge=1, lt=2**63)
    size: int = Field(default=FAILURES_PAGE, ge=1, le=1000)


@app.task(base=OperatorTask, name="halo.series.failures")
def list_failures(**fields: Any) -> Any:
    """Return who did not get which mail of a series, and why (contract §10)."""
    asked = validated(_FailuresCall, fields, "halo.series.failures")

    def listed(work: Work) -> FailurePage:
        found = lifecycle.find_series(work, asked.series)
        return failures(work, found, after=asked.after, size=asked.size)

    return engine().ask(OrgRef(key=asked.org), listed).model_dump(mode="json")


@app.task(base=OperatorTask, name="halo.series.explain")
def explain_contact(**fields: Any) -> Any:
    """Say why a contact is, or is not, in a series (contract §4, §10)."""
    asked = validated(ContactCall, fields, "halo.series.explain")

    def explained(work: Work) -> Explanation:
        found = find_contacts(work, [asked.contact])
        return explain(work, lifecycle.find_series(work, asked.series), found)[0]

    return engine().ask(OrgRef(key=asked.org), explained).model_dump(mode="json")
