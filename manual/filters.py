"""Makes the page of filters from the catalogue of fields and operators."""

from collections.abc import Iterator
from typing import Final

from halo_engine.domain.fields.catalogue import BARE_CUSTOM, COLUMNS, PREFIXES, Entity
from halo_engine.domain.fields.operators import OPERATORS, Operator
from halo_engine.domain.series.choices import CHOICES
from manual.markdown import code, codes, table

_INTRODUCTION: Final = """\
# Filters

A filter compares a field with a value: `{field: plan, operator: is, value: pro}`. Filters of one
group must all hold, and one group is enough: `[[f, f], [f]]`. A flat list is one group. Audience,
exit filters and goals take the same filters.

**A missing value matches nothing**, not even `is_not`. So does a value of the wrong type.
`halo fields` lists what is stored, `halo series diagnose` says which filter loses whom.

## Operators

"""
_DATES: Final = """
A date is written `2026-05-27` (its midnight on the organisation's clock), `2026-05-27 08:00`, with
an offset, or relative to now at each evaluation: `-30d`, `+12h`, `-15m`. A custom field takes the
operators of its value's type.

## Fields

"""
_OWN: Final = """
## Fields of your own

| field | what it is |
| --- | --- |
| `custom:NAME` | a custom trait of the contact |
| `company.custom:NAME` | a custom trait of its company |
| `event:NAME` | how often it fired, a number, 0 when never; `within: 30d` counts the last 30 days |
| `list:KEY` | whether the contact is on the list now: true or false |
| `series:KEY` | its stage there: `never`, `active`, `completed`, `exited`, `not_met` |
| `lead:NAME` | any field of a contact, for leads alone: a user has no value |

## Properties of events

`event.NAME` is a top-level property of the event at hand, of the type of the filter's value. It
stands in `settings.entry_event_filters`, which decide whether the event begins a run, in
`settings.exit_event_filters` and in the `filters` of an `event_fired` condition:

<!-- not run: it is a part of a series -->

```yaml
settings:
  entry_event_name: order_paid
  entry_event_filters: [{field: event.amount, operator: gte, value: 100}]
```

A run keeps the properties of the event that began it (8,192 bytes at most; the largest are left
out). In all its steps they are merge fields, `{{ event.plan_name|your plan }}`, and `user_property`
conditions can compare them: `event.amount>=100`. Elsewhere `event.NAME` is refused.

Where a run has begun, `{same: order_id}` in place of a filter holds if the event has the same value
of that property as the event that began the run. Values are compared as JSON: 5 is not "5". A
missing value equals nothing.
"""


def page() -> str:
    """Return the page: the operators of each type, then the fields of each entity."""
    operators = [
        (code(operator), codes(str(type_) for type_, has in OPERATORS.items() if operator in has),
         operator.words)
        for operator in Operator
    ]  # fmt: skip
    bare = f"\n{codes(BARE_CUSTOM)} are custom traits that need no `custom:`.\n"
    return (
        f"{_INTRODUCTION}{table(('operator', 'for', 'holds if the value is'), operators)}{_DATES}"
        f"{table(('field', 'type', 'its values'), _fields())}{bare}{_OWN}"
    )


def _fields() -> Iterator[tuple[str, str, str]]:
    for entity, columns in COLUMNS.items():
        for name, type_ in columns.items():
            choices = CHOICES.get(name, ()) if entity is not Entity.STRIPE else ()
            yield code(f"{PREFIXES[entity]}{name}"), str(type_), codes(choices)
