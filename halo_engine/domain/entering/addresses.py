"""Who of several enters, where a series takes one of each company or address (contract §23)."""

from halo_engine.domain.series.settings import EntrySettings


def first_created(settings: EntrySettings) -> str:
    """Return a sentence that says who of several enters, to follow another; empty if all may."""
    shared = [
        what
        for what, is_on in (
            ("of its company", settings.one_per_company),
            ("with its address", settings.one_per_address),
        )
        if is_on
    ]
    if not shared:
        return ""
    return f" Of several contacts {' or '.join(shared)}, the one that was created first enters."
