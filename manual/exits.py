"""Makes the page of exit reasons, with the reasons of skipped and failed rows."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.reasons import FailReason, SkipReason
from halo_engine.domain.series.conditions import CONDITIONS, Takes
from halo_engine.domain.series.exits import EXIT_RULES, ExitRule
from manual.markdown import code, table

_INTRODUCTION: Final = """\
# Exit reasons

How a run ends. A series lists in `settings.exit_rules` which rules are on; some are always on. Any
one is enough. If several hold, the first in this order is stamped as `exit_reason`.

"""
_CONDITIONS: Final = """
## Conditions

What a step with a `condition` asks. True goes on to the next step; false ends the run with
`condition_not_met`.

"""
_ROWS: Final = """
## Why a row was skipped or failed

A row is one contact at one step. `halo failures SERIES` shows these reasons, or what the mail
server said.

"""
_TAKES: Final = {
    Takes.NOTHING: "",
    Takes.EXPRESSION: "`FIELD OP VALUE`, with `=`, `!=`, `>`, `>=`, `<`, `<=` or `contains`",
    Takes.EVENT_NAME: "the event's name",
}


def page() -> str:
    """Return the page: exit rules, conditions, and the reasons of rows."""
    rules = [(code(rule.key), rule.words, _switch(rule)) for rule in EXIT_RULES]
    conditions = [(code(each.key), each.words, _TAKES[each.takes]) for each in CONDITIONS]
    return (
        f"{_INTRODUCTION}{table(('reason', 'the run ends when', ''), rules)}{_CONDITIONS}"
        f"{table(('type', 'true when', 'value'), conditions)}{_ROWS}"
        f"{table(('reason', 'row', 'because'), _rows())}"
    )


def _switch(rule: ExitRule) -> str:
    if rule.is_always_on:
        return "always on"
    return (
        f"listed in `exit_rules`, with `{rule.setting}`"
        if rule.setting
        else "listed in `exit_rules`"
    )


def _rows() -> Iterator[tuple[str, str, str]]:
    for skip in SkipReason:
        yield code(skip.key), "skipped", skip.words
    for fail in FailReason:
        yield code(fail.key), "failed", fail.words
