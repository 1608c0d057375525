"""Draws the Mermaid diagrams of the pages as the site is built."""

from typing import Any
from zlib import crc32

import mermaidx


def draw(source: str, _language: str, _class: str, _options: Any, _md: Any, **_: Any) -> str:
    """Return a diagram as SVG; one that Mermaid cannot read ends the build (a superfences format).

    Its ids are its own, since several diagrams may stand on a page.
    """
    svg = mermaidx.render(source).svg()
    return (
        f'<div class="diagram">{svg.replace("my-svg", f"diagram-{crc32(source.encode()):x}")}</div>'
    )
