"""Visits of pages, as a browser that reads gzip makes them: first byte, bytes, elements."""

import gzip
import http.client
import re
import time
from dataclasses import dataclass
from html.parser import HTMLParser
from statistics import median
from typing import Any, Self
from urllib.parse import urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class Visited:
    """A page: seconds to its first byte and to its end, bytes over the wire, elements."""

    first_byte: float
    whole: float
    size: int
    text: str

    @property
    def elements(self) -> int:
        """How many elements the document has."""
        counting = _Counting()
        counting.feed(self.text)
        return counting.elements


class _Counting(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.elements = 0

    def handle_starttag(self, tag: str, attrs: Any) -> None:  # noqa: ARG002 -- the parser's
        self.elements += 1


class Browser:
    """Somebody who signed in, on one connection."""

    def __init__(self, url: str, session: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=120)
        self._headers = {
            "Accept-Encoding": "gzip",
            "Cookie": f"halo_session={session}",
            "Sec-Fetch-Site": "same-origin",
        }

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def visit(self, path: str, form: dict[str, str] | None = None) -> Visited:
        """Get a page, or post a form; raises ValueError for another answer than 200."""
        headers, body, method = self._headers, None, "GET"
        if form is not None:
            headers = {**headers, "Content-Type": "application/x-www-form-urlencoded"}
            body, method = urlencode(form), "POST"
        began = time.perf_counter()
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        first_byte = time.perf_counter() - began
        content = answer.read()
        whole = time.perf_counter() - began
        if answer.status != 200:
            raise ValueError(f"{path} answers {answer.status}")
        is_packed = answer.getheader("content-encoding") == "gzip"
        text = (gzip.decompress(content) if is_packed else content).decode()
        return Visited(first_byte, whole, len(content), text)

    def often(self, path: str, times: int) -> Visited:
        """Return a page with the median of its times; the first visit is not counted."""
        visits = [self.visit(path) for _ in range(times + 1)][1:]
        return Visited(
            median(each.first_byte for each in visits),
            median(each.whole for each in visits),
            visits[-1].size,
            visits[-1].text,
        )

    def first_visit(self, path: str) -> int:
        """Return how many bytes a browser gets that has nothing yet: the page and its files."""
        page = self.visit(path)
        files = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', page.text))
        return page.size + sum(self.visit(file).size for file in files)
