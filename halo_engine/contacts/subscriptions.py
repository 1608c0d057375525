"""Subscription lists themselves: making one, and reading how many are on each (contract §3)."""

from sqlalchemy import and_, func, select
from sqlalchemy.dialects.postgresql import insert

from halo_engine.contacts.calls import Answer
from halo_engine.domain.errors import conflict, shown
from halo_engine.domain.series import check_key
from halo_engine.tables import subscription_members, subscriptions
from halo_engine.work import Work


class ListAnswer(Answer):
    """A subscription list, and how many contacts are on it."""

    list: str
    subscribers: int


def create_list(work: Work, key: str) -> ListAnswer:
    """Make an empty list; a 409 when there is one of that key."""
    made = (
        insert(subscriptions)
        .values(org_id=work.org_id, key=check_key(key), created_at=work.now)
        .on_conflict_do_nothing(index_elements=["org_id", "key"])
        .returning(subscriptions.c.id)
    )
    if work.connection.scalar(made) is None:
        raise conflict("list_exists", f"There is a list {shown(key)} already.")
    return ListAnswer(list=key, subscribers=0)


def all_lists(work: Work) -> list[ListAnswer]:
    """Return the organisation's lists, by key."""
    lists, members = subscriptions, subscription_members
    is_on_it = and_(members.c.org_id == lists.c.org_id, members.c.subscription_id == lists.c.id)
    rows = work.connection.execute(
        select(lists.c.key, func.count(members.c.end_user_id).label("subscribers"))
        .select_from(lists.outerjoin(members, is_on_it))
        .where(lists.c.org_id == work.org_id)
        .group_by(lists.c.id, lists.c.key)
        .order_by(lists.c.key)
    )
    return [ListAnswer(list=row.key, subscribers=row.subscribers) for row in rows]
