"""Two ids of one person: an anonymous one becomes a user's (contract §13, alias)."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Integer, Select, Text, and_, select

from halo_engine.contacts.calls import Call, Identifier
from halo_engine.contacts.events.sessions import link_sessions
from halo_engine.contacts.parameters import ORG_ID, given_rows, values_of
from halo_engine.contacts.subjects import about_session, about_user
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import not_found
from halo_engine.sets import Outcome, Outcomes, SetForm, Subject
from halo_engine.sql.prepared import prepared
from halo_engine.tables import end_users
from halo_engine.work import Work

_NOT_ANONYMOUS: Final = "previousId: is a user's, so the two stay apart"


class AliasCall(Call):
    """A user, and the id that it had while it was anonymous."""

    user_id: Identifier
    previous_id: Identifier


class AliasAnswer(Answer):
    """Whether the two were linked; if not, ``warnings`` say why."""

    linked: bool
    warnings: tuple[str, ...] = ()


def _link_all(work: Work, calls: Sequence[AliasCall]) -> list[Outcome]:
    """Link the anonymous ids of a set to their users, in two statements.

    An id that is a user's own is linked to nobody. An unknown user is a 404.
    """
    given = [
        {"ordinal": ordinal, "user_id": call.user_id, "previous_id": call.previous_id}
        for ordinal, call in enumerate(calls)
    ]
    rows = _finding().rows(work.connection, values_of(work, given))
    found = {row["ordinal"]: row for row in rows}
    outcomes = Outcomes(len(calls))
    linked: dict[str, UUID] = {}
    for ordinal, call in enumerate(calls):
        with outcomes.of(ordinal):
            if ordinal not in found:
                raise not_found("contact", call.user_id)
            is_anonymous = found[ordinal]["previous"] is None
            if is_anonymous:
                linked[call.previous_id] = found[ordinal]["id"]
            warnings = () if is_anonymous else (_NOT_ANONYMOUS,)
            outcomes[ordinal] = AliasAnswer(linked=is_anonymous, warnings=warnings)
    link_sessions(work, linked)
    return outcomes.all


@prepared("find_linked_users")
def _finding() -> Select[Any]:
    given = given_rows({"ordinal": Integer(), "user_id": Text(), "previous_id": Text()})
    user, previous = end_users.alias("linked_user"), end_users.alias("previous_user")
    is_user = and_(user.c.org_id == ORG_ID, user.c.external_id == given.c.user_id)
    was_user = and_(previous.c.org_id == ORG_ID, previous.c.external_id == given.c.previous_id)
    return select(given.c.ordinal, user.c.id, previous.c.id.label("previous")).select_from(
        given.join(user, is_user).outerjoin(previous, was_user)
    )


def _subjects(call: AliasCall) -> Iterable[Subject]:
    yield about_user(call.user_id)
    yield about_user(call.previous_id)
    yield about_session(call.previous_id)


LINK_SET: Final = SetForm(_link_all, _subjects)
