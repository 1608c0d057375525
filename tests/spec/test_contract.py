"""`docs/contract.md` has every section that code, tests and docs cite."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
CONTRACT: Final = ROOT / "docs" / "contract.md"
_FOLDERS: Final = (".", "halo_engine", "workers", "migrations", "benchmarks", "tests", "docs")
_SUFFIXES: Final = (".py", ".md", ".yaml")
_HEADING: Final = re.compile(r"^## (\d+)\. ", re.MULTILINE)
#: "§2, Events" cites a part of a section by its bold name.
_CITATION: Final = re.compile(r"§(\d+)(?:, ([A-Z][A-Za-z ]+?)(?=[).,;:]))?")


def _sections() -> Mapping[str, str]:
    """Return the text of each section by its number."""
    _, *parts = _HEADING.split(CONTRACT.read_text())
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _citations() -> Iterator[tuple[str, str, str]]:
    """Yield each citation: the file, the section, and the part of it if one is named."""
    for folder in _FOLDERS:
        for path in (ROOT / folder).glob("*.md" if folder == "." else "**/*"):
            if path.suffix in _SUFFIXES and path != Path(__file__):
                for section, part in _CITATION.findall(path.read_text()):
                    yield path.relative_to(ROOT).as_posix(), section, part


def test_every_citation_leads_to_a_section() -> None:
    """A citation that names a part of a section leads to that part."""
    sections = _sections()
    dangling = {
        f"{name}: §{section}{part and f', {part}'}"
        for name, section, part in _citations()
        if section not in sections or (part and f"**{part}" not in sections[section])
    }
    assert dangling == set()


def test_every_section_is_cited_by_a_test() -> None:
    """A test cites it in words, or a scenario's name begins with its number."""
    citing = defaultdict(set)
    for name, section, _ in _citations():
        citing[section].add(name.partition("/")[0])
    for scenario in (ROOT / "tests" / "spec" / "rows").iterdir():
        citing[scenario.name.partition("-")[0]].add("tests")
    assert {section for section in _sections() if "tests" not in citing[section]} == set()
