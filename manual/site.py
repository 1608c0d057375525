"""Finds what a browser would load from other hosts in the built site."""

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

_LOADED = {"script": "src", "img": "src", "link": "href", "iframe": "src", "source": "src"}


class _Page(HTMLParser):
    """Collects the addresses that a page loads by itself; links do not count."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag loads."""
        given = dict(attrs)
        address = given.get(_LOADED.get(tag, ""))
        if address and given.get("rel") != "canonical":
            self.loads.append(address)


def loaded_from_elsewhere(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield each page with an address on another host that it loads."""
    for path in sorted(folder.rglob("*.html")):
        page = _Page()
        page.feed(path.read_text(encoding="utf-8"))
        for address in page.loads:
            if address.partition(":")[0] in ("http", "https") or address.startswith("//"):
                yield path.relative_to(folder).as_posix(), address
