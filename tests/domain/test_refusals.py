"""The table of refusal codes is what the code refuses with, no more and no less (contract §11)."""

import ast
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Final

from halo_engine.domain.refusals import REFUSALS

PROJECT: Final = Path(__file__).parents[2]
#: What makes a refusal: its status, if not its first argument, and the place of the code.
MAKERS: Final = {
    "bad_input": (400, 2),
    "Fault": (400, 2),
    "unauthorized": (401, 0),
    "_forbidden": (403, 0),
    "not_found": (404, 0),
    "conflict": (409, 0),
    "unavailable": (503, 0),
    "Refusal": (None, 1),
    "Problem": (None, 1),
    "problem": (None, 1),
}
#: Codes that are put together, or chosen from others, where they are raised.
PUT_TOGETHER: Final = {
    ("bad_input", 400),
    ("bad_request", 400),
    ("duplicate_key", 400),
    ("not_activatable", 400),
    ("not_draft", 409),
    ("not_active", 409),
    ("not_paused", 409),
    ("unknown_parked_row", 404),
    ("unknown_parked_signal", 404),
}


def _raised() -> Iterator[tuple[str, int]]:
    """Yield the code and status of each refusal whose code is written where it is made."""
    for folder in ("halo_engine", "workers"):
        for path in (PROJECT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield from _made(node, node.func.id)


def _made(call: ast.Call, maker: str) -> Iterator[tuple[str, int]]:
    status, place = MAKERS.get(maker, (None, len(call.args)))
    values = [_value(each) for each in call.args]
    given = values[0] if status is None and values else status
    code = values[place] if place < len(values) else None
    if isinstance(given, int) and isinstance(code, str):
        yield f"unknown_{code.replace(' ', '_')}" if maker == "not_found" else code, int(given)


def _value(argument: ast.expr) -> object:
    """Return what a constant is, or a status of HTTP by its name; else None."""
    if isinstance(argument, ast.Attribute) and ast.unparse(argument.value) == "HTTPStatus":
        return HTTPStatus[argument.attr]
    return argument.value if isinstance(argument, ast.Constant) else None


def test_every_refusal_has_a_declared_code_and_status() -> None:
    """Each code that engine or workers refuse with is declared with its status, and each declared
    code is used.
    """
    declared = {(each.key, status) for each in REFUSALS for status in each.statuses}
    assert declared == {*_raised(), *PUT_TOGETHER}


def test_every_code_is_declared_once_in_words() -> None:
    """No code has two lines; the words are a sentence."""
    keys = [each.key for each in REFUSALS]
    assert len(set(keys)) == len(keys)
    assert all(each.words[0].isupper() and each.words.endswith(".") for each in REFUSALS)
