"""Silent signals: exits, conditions and goals react, but nobody enters (contract §2)."""

from typing import Final

from sqlalchemy import CTE, FromClause, Text, literal, select
from sqlalchemy.dialects.postgresql import array, insert

from halo_engine.contacts.parameters import NOW, ORG_ID
from halo_engine.domain.series.signals import SignalKind
from halo_engine.tables import signals

#: Keys of changes that are no fields: list membership, suppression, events of a mail.
LIST_KEY: Final = "list"
SUPPRESSION_KEY: Final = "suppression"
MAIL_KEY: Final = "mail"


def tell(concerned: FromClause, *changed: str) -> CTE:
    """Write a silent signal for each contact: the CTE to add to the statement that changes it.

    ``concerned`` has ``ordinal`` and ``contact_id``. The signals are in the order of the ordinals,
    and of the ids, which are time-ordered.
    """
    keys = array([literal(key, Text()) for key in changed])
    kind = literal(SignalKind.SILENT.value, Text())
    rows = select(ORG_ID, kind, concerned.c.contact_id, keys, NOW, NOW).order_by(
        concerned.c.ordinal, concerned.c.contact_id
    )
    columns = ["org_id", "kind", "end_user_id", "changed", "happened_at", "created_at"]
    return (
        insert(signals)
        .from_select(columns, rows, include_defaults=False)
        .returning(signals.c.id)
        .cte("told")
    )
