"""An organisation under fire: what is said to its doors, and everything that they answer."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from itertools import cycle
from random import Random
from typing import Any, Final, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import Engine, Select, Table, text, update

from halo_engine.contacts.companies.identify import IdentifyCompanyCall, identify_company
from halo_engine.contacts.consent.subscriptions import create_list
from halo_engine.contacts.identifying.leads import CaptureLeadCall, capture_lead
from halo_engine.domain.errors import Refusal, validated
from halo_engine.rehearsal.tokens import signed
from halo_engine.series.lifecycle import pause
from halo_engine.tables import metadata, organizations
from halo_engine.work import Work
from tests.pipeline.sandbox import Sandbox, new_sandbox

SECRET: Final = "as many bytes as the longest hash has, which are sixty-four or more"
USERS: Final = tuple(f"user{number}" for number in range(60))
LEADS: Final = tuple(f"lead{number}@a.example" for number in range(20))
#: The series by which every user was written to once.
LETTER: Final = "letter"

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_CODE: Final = re.compile(r"[a-z]+(_[a-z]+)*")
_LONGEST_MESSAGE: Final = 2_000

#: Series look at whatever strangers write, in every type that there is.
_FILTERS: Final = (
    {"field": "custom:plan", "operator": "contains", "value": "pro"},
    {"field": "custom:plan", "operator": "gt", "value": 5},
    {"field": "custom:plan", "operator": "after", "value": "-30d"},
    {"field": "name", "operator": "is_not", "value": "Ann"},
    {"field": "mrr", "operator": "gte", "value": 100},
    {"field": "stripe:trial_end", "operator": "before", "value": "+3d"},
    {"field": "company.custom:size", "operator": "lt", "value": 50},
    {"field": "event:paid", "operator": "gt", "value": 1},
)

_Call = TypeVar("_Call", bound=BaseModel)


@dataclass
class Target:
    """One organisation, and what its doors said; what is good in its calls has its ``canary``."""

    sandbox: Sandbox
    org_id: UUID
    random: Random
    canary: str
    inputs: int = 0
    refusals: int = 0
    #: In turns: signals of different contacts are handled together.
    users: Iterator[str] = field(default_factory=partial(cycle, USERS))
    leads: Iterator[str] = field(default_factory=partial(cycle, LEADS))
    contacts: Iterator[str] = field(default_factory=partial(cycle, (*USERS, *LEADS)))
    said: list[str] = field(default_factory=list)

    def number(self) -> int:
        """Count an input; return its number."""
        self.inputs += 1
        return self.inputs

    def call(self, model: type[_Call], data: Any) -> _Call | Refusal:
        """Return the call that the data make, or the refusal."""
        try:
            return validated(model, data, "call")
        except Refusal as refusal:
            self.hear(refusal)
            return refusal

    def ask(self, model: type[_Call], door: Callable[[Work, _Call], Any], data: Any) -> Any:
        """Make a call and go through a door with it, as a task does; return what is answered."""
        call = self.call(model, data)
        if isinstance(call, Refusal):
            return call
        return self.perform(lambda work: door(work, call))

    def perform(self, action: Callable[[Work], Any]) -> Any:
        """Run a door in a transaction of its own; return its answer, or the refusal."""
        try:
            answer = self.sandbox.perform(action)
        except Refusal as refusal:
            answer = refusal
        for each in answer if isinstance(answer, list) else [answer]:
            self.hear(each)
        return answer

    def hear(self, answer: Any) -> None:
        """Keep an answer as it is sent; a refusal is one that the contract knows (§11)."""
        if isinstance(answer, Refusal):
            self.refusals += 1
            assert answer.status in (400, 401, 404, 409)
            assert _CODE.fullmatch(answer.code), answer.code
            assert len(answer.message) <= _LONGEST_MESSAGE
            sent = answer.as_dict()
        else:
            sent = answer.model_dump(mode="json")
        said = json.dumps(sent, allow_nan=False, ensure_ascii=False)
        assert said.encode(), "an answer can be sent"
        self.said.append(said)

    def token(self, **claims: Any) -> str:
        """Return a token as the organisation's backend signs it."""
        return signed(claims, SECRET, self.sandbox.now, timedelta(minutes=5))

    def read(self, statement: Select[Any]) -> list[Any]:
        """Return the first column of what a statement selects."""
        return self.sandbox.perform(lambda work: list(work.connection.scalars(statement)))

    def ids_told(self) -> set[str]:
        """Return every id that any answer contained."""
        return {each for said in self.said for each in _UUID.findall(said)}

    def fingerprint(self) -> dict[str, str]:
        """Return a hash of all that each table holds of this organisation."""
        own = [each for each in metadata.sorted_tables if "org_id" in each.c]
        return {table.name: self._hash(table) for table in (organizations, *own)}

    def _hash(self, table: Table) -> str:
        whose = "id" if table is organizations else "org_id"
        statement = text(
            "SELECT md5(coalesce(string_agg(row::text, chr(10) ORDER BY row::text), ''))"
            f" FROM {table.name} AS row WHERE {whose} = :org_id"
        )
        values = {"org_id": self.org_id}
        return self.sandbox.perform(
            lambda work: str(work.connection.execute(statement, values).scalar_one())
        )


def new_target(database: Engine, name: str, random: Random) -> Target:
    """Make an organisation in which there is something to be hit, named as in any other."""
    sandbox = new_sandbox(database, name)
    target = Target(sandbox, sandbox.org_id, random, f"canary of {name}")
    sandbox.perform(_furnish)
    sandbox.series(LETTER)
    sandbox.signal(sandbox.contacts(USERS, custom_fields={"plan": target.canary}))
    sandbox.settle()
    sandbox.perform(lambda work: pause(work, LETTER, "test"))
    for number, each in enumerate(_FILTERS):
        entry = {"entry_trigger": "segment_match", "audience_type": "segment"}
        steps = [{"key": "later", "delay": "1d", "email": {"subject": "Later", "body": "Later"}}]
        sandbox.series(f"series-{number}", **entry, audience_filters=[each], steps=steps)
    return target


def _furnish(work: Work) -> None:
    secret = update(organizations).where(organizations.c.id == work.org_id)
    work.connection.execute(secret.values(identity_secret=SECRET))
    create_list(work, "news")
    identify_company(work, IdentifyCompanyCall(id="acme", traits={"size": 5}))
    for email in LEADS:
        capture_lead(work, CaptureLeadCall(email=email))
