"""The compiler and a plain-Python reading of the contract agree, whatever is stored (§3, §5)."""

import json
from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import ColumnElement

from halo_engine.audience.compiler import Subject, expression_predicate, lacks, predicate
from halo_engine.audience.moments import Moment
from halo_engine.domain.errors import Refusal
from halo_engine.domain.fields.expressions import Expression, parse_expression
from halo_engine.domain.fields.filter_groups import parse_groups
from tests.audience.evaluator import Person, passes
from tests.audience.evaluator import holds as holds_in_python
from tests.audience.evaluator import lacks as lacks_in_python
from tests.audience.people import SUBJECTS, People
from tests.audience.strategies import Filter, Scene, scenes

subjects = st.sampled_from(SUBJECTS)
quickly = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
SYMBOLS = {
    "is": "=",
    "is_not": "!=",
    "contains": "contains",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "before": "<",
    "after": ">=",
}


@quickly
@given(scenes(), subjects)
def test_filters_agree(people: People, scene: Scene, subject: Subject) -> None:
    """Generated contacts pass the same filters, alone and in groups, by SQL and by Python."""
    _, filters, clock = scene
    # Alone, and then as groups of two joined by or.
    asked = [[[each]] for each in filters]
    asked.append([filters[n : n + 2] for n in range(0, len(filters), 2)])
    moment = Moment(clock.now, clock.zone)
    compiled = [predicate(parse_groups(groups, "asked"), subject, moment) for groups in asked]
    agree(
        people,
        scene,
        subject,
        compiled,
        lambda person, n: any(
            all(passes(person, item, clock) for item in group) for group in asked[n]
        ),
    )


@quickly
@given(scenes(), subjects)
def test_missing_values_agree(people: People, scene: Scene, subject: Subject) -> None:
    """The same values are missing, or of the wrong type, by SQL and by Python."""
    _, filters, clock = scene
    (parsed,) = parse_groups(filters, "asked")
    compiled = [lacks(each, subject, Moment(clock.now, clock.zone)) for each in parsed]
    agree(
        people,
        scene,
        subject,
        compiled,
        lambda person, n: lacks_in_python(person, filters[n], clock),
    )


@quickly
@given(scenes(), subjects)
def test_expressions_agree(people: People, scene: Scene, subject: Subject) -> None:
    """Every generated expression holds for the same contacts by SQL and by Python."""
    _, filters, clock = scene
    written = [expression for each in filters for expression in expressions(each)]
    moment = Moment(clock.now, clock.zone)
    compiled = [expression_predicate(parsed, subject, moment) for _, parsed in written]
    agree(
        people,
        scene,
        subject,
        compiled,
        lambda person, n: holds_in_python(person, written[n][0], clock),
    )


def agree(
    people: People,
    scene: Scene,
    subject: Subject,
    compiled: list[ColumnElement[bool]],
    by_python: Callable[[Person, int], bool],
) -> None:
    """Assert that each contact is matched by the predicates that Python says, by number."""
    with people.holding(scene[0]) as contacts:
        found = people.matching(subject, compiled)
    numbers = range(len(compiled))
    assert found == {
        id_: [n for n in numbers if by_python(person, n)] for id_, person in contacts.items()
    }


def expressions(item: Filter) -> list[tuple[tuple[str, str, str], Expression]]:
    """Return the filter as the expression that is written so, or nothing when that is refused."""
    if "value" not in item or "within" in item:
        return []
    value = item["value"]
    text = value.strip() if isinstance(value, str) else json.dumps(value)
    symbol = SYMBOLS[item["operator"]]
    try:
        parsed = parse_expression(f"{item['field']} {symbol} {text}")
    except Refusal:
        return []
    return [((item["field"], symbol, text), parsed)]
