"""Ignore revenue that callers send while it comes from Stripe (contract §2, Identify)."""

from halo_engine.domain.fields.traits import Traits
from halo_engine.work import Organization

#: The traits that are money, in cents.
REVENUE = ("mrr", "arr")


def without_stripes(org: Organization, traits: Traits) -> tuple[Traits, tuple[str, ...]]:
    """Leave out ``mrr`` and ``arr`` if they come from Stripe; return the rest, and warnings."""
    if org.mrr_mode == "manual" or not org.stripe_connected:
        return traits, ()
    columns = {name: value for name, value in traits.columns.items() if name not in REVENUE}
    ignored = [name for name in REVENUE if name in traits.columns]
    warnings = tuple(f"{name} is ignored: it comes from Stripe" for name in ignored)
    return Traits(columns, traits.custom), warnings
