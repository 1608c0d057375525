"""Read the HTML of an email, each text once (contract §15)."""

from functools import lru_cache

from halo_engine.domain.html_mail.page import HtmlPage


@lru_cache(maxsize=64)
def read_page(html: str) -> HtmlPage:
    """Read the HTML of an email; raises a 400 for what is refused.

    Missing closing tags are mended, and styles put at their elements.
    """
    # The parser is a tenth of what a command imports, and most commands read no HTML.
    from halo_engine.domain.html_mail.reading import read  # noqa: PLC0415

    return read(html)
