"""The sources of contacts (contract §2): how each finds contacts, and what it may write."""

from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from halo_engine.domain.fields.catalogue import COLUMNS, Entity
from halo_engine.domain.series.signals import SignalKind


class Finds(Enum):
    """How a source finds the contact that it is about; an address is compared in lower case."""

    EXTERNAL_ID = auto()
    #: Else the lead of the address.
    EXTERNAL_ID_ELSE_LEAD = auto()
    #: Else the contact of the address that was created first, lead or user.
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
#: The customer, its subscription, and the time of Stripe's last event: these are no fields.
STRIPE_LINKS: Final = ("stripe_customer_id", "stripe_subscription_id", "stripe_said_at")
DOCUMENTS: Final = ("custom_fields", "context")
#: When a contact's fields were last sent (``contacts.sending_order``).
FIELD_TIMES: Final = "field_times"


def field_key(column: str) -> str:
    """Return the key (``domain.fields``) under which a change of the column is announced."""
    if column in STRIPE_COLUMNS:
        return column.replace("stripe_", "stripe:", 1)
    return column


_EVERYTHING_GIVEN: Final = (*TRAIT_COLUMNS, *DOCUMENTS)


@dataclass(frozen=True, slots=True)
class Source:
    """How one source of contacts writes them (contract §2).

    ``name`` is the source of a new contact, which takes everything given. ``merges`` names the
    columns that are merged into a contact found, ``links`` those that are no fields: their change
    writes no signal. ``promotes``: a lead that is found becomes the user of the given external ID.
    ``seen_at_signup``: a new contact was first and last seen when it signed up.
    ``created_is_changed``: a creation counts as changed traits too. ``on_created``, ``on_promoted``
    and ``on_changed`` are the signals written.
    """

    name: str
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
        """The columns that this source can give, each a field."""
        return (*TRAIT_COLUMNS, *(name for name in self.merges if name in STRIPE_COLUMNS))

    @property
    def notes_order(self) -> bool:
        """Whether sending times are noted, so that a late call undoes nothing
        (``contacts.sending_order``).
        """
        return set(DOCUMENTS) <= set(self.merges)


IDENTIFY: Final = Source(
    name="sdk",
    finds=Finds.EXTERNAL_ID_ELSE_LEAD,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    bumps_last_seen=True,
    seen_at_signup=False,
    created_is_changed=True,
)
UPDATE: Final = Source(
    name="api",
    finds=Finds.EXTERNAL_ID,
    merges=_EVERYTHING_GIVEN,
    on_created=SignalKind.SILENT,
    on_changed=SignalKind.SILENT,
)
LEAD_FORM: Final = Source(
    name="lead_form",
    finds=Finds.EXTERNAL_ID_ELSE_ADDRESS,
    bumps_last_seen=True,
    seen_at_signup=False,
)
TEAMMATE: Final = Source(name="dashboard", finds=Finds.EXTERNAL_ID_ELSE_ADDRESS)
INTEGRATION: Final = Source(
    name="",
    finds=Finds.ID,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    created_is_changed=True,
)
STRIPE: Final = Source(
    name="stripe",
    finds=Finds.EXTERNAL_ID_ELSE_ADDRESS,
    merges=STRIPE_COLUMNS,
    created_is_changed=True,
)
#: Of a customer whose external ID is given.
STRIPE_USERS: Final = replace(STRIPE, finds=Finds.EXTERNAL_ID_ELSE_LEAD, promotes=True)
STRIPE_OBJECTS: Final = replace(
    STRIPE,
    finds=Finds.ID,
    merges=("email", *STRIPE_COLUMNS),
    links=STRIPE_LINKS,
    promotes=True,
)
CSV: Final = Source(
    name="csv",
    finds=Finds.ID,
    merges=_EVERYTHING_GIVEN,
    promotes=True,
    on_promoted=SignalKind.SILENT,
    on_changed=SignalKind.SILENT,
)
