"""The site works without the network: pages load nothing from other hosts, and diagrams are
drawn.
"""

from pathlib import Path

import pytest

from manual.diagrams import draw
from manual.site import loaded_from_elsewhere


def test_what_a_page_loads_from_elsewhere_is_named(tmp_path: Path) -> None:
    """Scripts, styles and pictures of other hosts are reported; links to them are not."""
    (tmp_path / "index.html").write_text(
        '<link rel="canonical" href="https://a.example/"><link href="style.css">'
        '<a href="https://b.example/">b</a><img src="//c.example/p.png">'
        '<script src="https://d.example/x.js"></script>'
    )
    assert list(loaded_from_elsewhere(tmp_path)) == [
        ("index.html", "//c.example/p.png"),
        ("index.html", "https://d.example/x.js"),
    ]


def test_a_diagram_is_drawn_and_one_that_cannot_be_read_ends_the_build() -> None:
    """The page holds the picture itself; two diagrams of a page have different ids."""
    drawn = [draw(f"flowchart LR\n a --> {name}", "", "", {}, None) for name in ("b", "c")]
    assert all("<svg" in svg for svg in drawn)
    assert len({svg.partition('id="')[2].partition('"')[0] for svg in drawn}) == 2
    with pytest.raises(RuntimeError, match="Parse error"):
        draw("flowchart LR\n a --> -->", "", "", {}, None)
