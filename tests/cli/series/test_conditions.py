"""Conditions that a draft may have, and that an activation refuses (contract §8)."""

import pytest

from tests.cli.console import Console

BAD = """\
    series:
      gated:
        entry_trigger: user_created
        steps:
          - {key: hello, email: {subject: Hi, body: Hi}}
          - {key: gate, condition: {type: user_property, value: "plan is pro"}}
"""


@pytest.fixture
def bad(halo: Console) -> str:
    """A file with such a condition."""
    return halo.file("gated.yaml", BAD)


def test_check_says_where_it_is(halo: Console, bad: str) -> None:
    """Line and column are those of the value; the command exits 1."""
    verdict, refusal = halo("series", "check", bad, status=1).splitlines()[:2]
    assert verdict == "gated: refused"
    assert refusal.startswith("  line 6, column 61: Step ‘gate’: ")


@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_apply_warns_of_it(halo: Console, bad: str, options: tuple[str, ...]) -> None:
    """A draft may be unfinished; that it cannot be activated yet is said at once."""
    said = halo("series", "apply", bad, *options)
    assert "  warning [not_activatable] steps.gate.condition.value: Step ‘gate’: " in said
    assert "It is saved; an activation is refused." in said
