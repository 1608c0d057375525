"""What the panel brings: scripts, sheets, templates (contract §17)."""

import re
from pathlib import Path
from typing import Final

from workers.web.panel.assets import FOLDER, assets
from workers.web.panel.rendering import environment

_TEMPLATES: Final = FOLDER.parent / "templates"


def test_all_script_together_is_small() -> None:
    """All scripts together have less than 15 kB."""
    assert sum(path.stat().st_size for path in FOLDER.glob("*.js")) < 15_000


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No template, sheet or script names a URL of another host."""
    for path in (*FOLDER.iterdir(), *_TEMPLATES.rglob("*.html")):
        urls = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+", _without_comments(path)))
        assert urls <= {"http://www.w3.org"}, path


def test_no_template_switches_escaping_off() -> None:
    """No template switches escaping off, so a customer's text is never markup."""
    for path in _TEMPLATES.rglob("*.html"):
        assert not re.search(r"\|\s*safe\b|autoescape|\bon\w+=|\bstyle=", path.read_text()), path
    assert environment().autoescape is True


def test_every_file_is_named_after_its_content() -> None:
    """Each file's name changes with its content."""
    assert len({each.version for each in assets().values()}) == len(assets())


def _without_comments(path: Path) -> str:
    return re.sub(r"^\s*//.*$", "", path.read_text(), flags=re.MULTILINE)
