"""The doors' table of contract §2: what sets one way of writing contacts apart from the others."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from halo_engine.domain.fields import COLUMNS, Entity
from halo_engine.domain.signals import SignalKind


class Finds(Enum):
    """How a door finds the contact that it is about; an address is compared in lower case."""

    EXTERNAL_ID = auto()
    #: Else the lead of the address.
    EXTERNAL_ID_ELSE_LEAD = auto()
    #: Else whoever of that address was created first, lead or user.
    EXTERNAL_ID_ELSE_ADDRESS = auto()
    #: By its own id, which the caller has looked up and locked.
    ID = auto()


#: The ways of finding contacts that look at addresses.
BY_ADDRESS: Final = frozenset({Finds.EXTERNAL_ID_ELSE_LEAD, Finds.EXTERNAL_ID_ELSE_ADDRESS})

#: The recognised traits, each a column (contract §2, Identify).
TRAIT_COLUMNS: Final = (
    "name",
    "email",
    "signed_up_at",
    "renewal_date",
    "renewal_status",
    "contract_term",
    "payment_terms",
    "on_contract",
    "mrr",
    "arr",
)
STRIPE_COLUMNS: Final = tuple(f"stripe_{name}" for name in COLUMNS[Entity.STRIPE])
#: The customer, its subscription, and when Stripe last told of it: these are no fields.
STRIPE_LINKS: Final = ("stripe_customer_id", "stripe_subscription_id", "stripe_said_at")
DOCUMENTS: Final = ("custom_fields", "context")
#: When a contact's fields were said last (``contacts.sending``).
FIELD_TIMES: Final = "field_times"


def field_key(column: str) -> str:
    """Return the key (``domain.fields``) under which a change of the column is announced."""
    if column in STRIPE_COLUMNS:
        return column.replace("stripe_", "stripe:", 1)
    return column


_EVERYTHING_GIVEN: Final = (*TRAIT_COLUMNS, *DOCUMENTS)


@dataclass(frozen=True, slots=True)
class Door:
    """One way in (contract §2).

    ``source`` is a new contact's, which takes everything given. ``merges`` names the columns that
    are merged into a contact found, ``links`` those that are no fields: no signal tells of their
    change. ``promotes``: a lead found becomes the user of the external ID given.
    ``seen_at_signup``: a new contact was first and last seen when it signed up.
    ``created_is_changed``: a creation counts as changed traits too. ``on_created``,
    ``on_promoted`` and ``on_changed`` are the signals written.
    """

    source: str
    finds: Finds
    merges: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    creates: bool = True
    promotes: bool = False
    bumps_last_seen: bool = False
    seen_at_signup: bool = True
    on_created: SignalKind = SignalKind.CREATED
    created_is_changed: bool = False
    on_promoted: SignalKind = SignalKind.PROMOTED
    on_changed: SignalKind = SignalKind.CHANGED

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that can be given here, each a field."""
        return (*TRAIT_COLUMNS, *(name for name in self.merges if name in STRIPE_COLUMNS))

    @property
    def notes_order(self) -> bool:
        """Whether calls are noted, so that a late one undoes nothing (``contacts.sending``)."""
        return set(DOCUMENTS) <= set(self.merges)


IDENTIFY: Final = Door(
    source="sdk",
    finds=Finds.EXTERNAL_ID_ELSE_LEAD,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    bumps_last_seen=True,
    seen_at_signup=False,
    created_is_changed=True,
)
UPDATE: Final = Door(
    source="api",
    finds=Finds.EXTERNAL_ID,
    merges=_EVERYTHING_GIVEN,
    on_created=SignalKind.SILENT,
    on_changed=SignalKind.SILENT,
)
LEAD_FORM: Final = Door(
    source="lead_form",
    finds=Finds.EXTERNAL_ID_ELSE_ADDRESS,
    bumps_last_seen=True,
    seen_at_signup=False,
)
TEAMMATE: Final = Door(source="dashboard", finds=Finds.EXTERNAL_ID_ELSE_ADDRESS)
INTEGRATION: Final = Door(
    source="",
    finds=Finds.ID,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    created_is_changed=True,
)
STRIPE: Final = Door(
    source="stripe",
    finds=Finds.EXTERNAL_ID_ELSE_ADDRESS,
    merges=STRIPE_COLUMNS,
    created_is_changed=True,
)
STRIPE_OBJECTS: Final = replace(
    STRIPE,
    finds=Finds.ID,
    merges=("email", *STRIPE_COLUMNS),
    links=STRIPE_LINKS,
    promotes=True,
)
CSV: Final = Door(
    source="csv",
    finds=Finds.ID,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    on_promoted=SignalKind.SILENT,
    on_changed=SignalKind.SILENT,
)
