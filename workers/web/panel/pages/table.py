"""All pages, and the navigation. A page added here is served."""

from typing import Final

from ..page import Page, Place, SeeOther
from . import contacts, series_list, settings
from .imports import files
from .progress import ledger, overview, why
from .rules import creating, series_page, status, suggestions
from .steps import editing, preview

#: The parts of the panel, in the order of the navigation.
PLACES: Final[tuple[Place, ...]] = (
    ("Series", "/series"),
    ("Contacts", "/contacts"),
    ("Imports", "/imports"),
    ("Settings", "/settings"),
)

PAGES: Final[tuple[Page, ...]] = (
    Page("GET", "/", lambda _: SeeOther("/series")),
    *series_list.PAGES,
    *creating.PAGES,
    *series_page.PAGES,
    *status.PAGES,
    *suggestions.PAGES,
    *overview.PAGES,
    *editing.PAGES,
    *preview.PAGES,
    *ledger.PAGES,
    *why.PAGES,
    *contacts.PAGES,
    *files.PAGES,
    *settings.PAGES,
)
