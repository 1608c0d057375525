"""The one exception that says no, and how it words what was wrong."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import PydanticCustomError

RefusalStatus = Literal[400, 401, 404, 409]

_LONGEST_VALUE_SHOWN = 60
_LONGEST_FIELD_SHOWN = 200
_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")

#: What is allowed where Pydantic found another type, in words of JSON.
_ALLOWED: Final[Mapping[str, str]] = {
    "bool_type": "are true and false",
    "dict_type": "is an object",
    "float_type": "is a number",
    "int_type": "is a whole number",
    "list_type": "is a list",
    "string_type": "is text",
    "string_unicode": "is text without lone surrogates",
    "tuple_type": "is a list",
}


class Refusal(Exception):  # noqa: N818 -- the contract's word: a refusal is an answer, not a fault
    """Say no to a request, with a reason that a program and a person can both read (contract §11).

    ``status`` is 400, 401, 404 or 409; ``code`` is stable snake_case; ``message`` names the field
    and what is allowed. All three stay in ``args``, so that a refusal survives pickling and a
    result backend.
    """

    def __init__(self, status: RefusalStatus, code: str, message: str) -> None:
        super().__init__(status, code, message)
        self.status: RefusalStatus = status
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> dict[str, str | int]:
        """Return the refusal as JSON-ready data: ``{status, code, message}``."""
        return {"status": self.status, "code": self.code, "message": self.message}


def bad_input(field: str, problem: str, code: str = "bad_input") -> Refusal:
    """Make the 400 for a field: ``field: problem``, where ``problem`` ends in what is allowed."""
    return Refusal(400, code, f"{_printable(field, _LONGEST_FIELD_SHOWN)}: {problem}")


def unauthorized(code: str, message: str) -> Refusal:
    """Make the 401 for a missing or wrong key or token."""
    return Refusal(401, code, message)


def not_found(what: str, key: str) -> Refusal:
    """Make the 404 for a ``what`` (contact, series, …) when ``key`` names none."""
    return Refusal(404, f"unknown_{what.replace(' ', '_')}", f"There is no {what} {shown(key)}.")


def conflict(code: str, message: str) -> Refusal:
    """Make the 409 for a request that the present state does not allow."""
    return Refusal(409, code, message)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Put ``where: `` before the message of a refusal raised inside, so nested input has a path."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, f"{where}: {refusal.message}") from refusal


def validated(model: type[_Model], data: object, where: str) -> _Model:
    """Build ``model`` from untrusted ``data``; raise a 400 with the path of the first thing wrong.

    ``where`` names the input as its sender knows it: ``audience_filters[0][1]``, ``send_window``.
    """
    try:
        with located(where):
            return model.model_validate(data)
    except ValidationError as error:
        raise _refusal_from(error, model, where) from error


def in_its_place(read: Callable[[object], _Value]) -> Callable[[object], _Value]:
    """Return ``read`` as a model's validator: ``validated`` names the path to what it refuses.

    The name by which ``read`` knows the field gives way to that path.
    """

    def placed(value: object) -> _Value:
        try:
            return read(value)
        except Refusal as refusal:
            _, _, problem = refusal.message.partition(": ")
            context = {"code": refusal.code, "problem": problem}
            raise PydanticCustomError("refusal", "{problem}", context) from None

    return placed


def shown(value: object) -> str:
    """Quote an untrusted value for a message: short, printable, and safe to store and encode."""
    if isinstance(value, str):
        return f"‘{_printable(value, _LONGEST_VALUE_SHOWN)}’"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        # Python refuses to print integers of more than 4,300 digits.
        return str(value) if value.bit_length() <= 64 else "a huge number"
    if isinstance(value, float):
        return repr(value)
    kinds: dict[type, str] = {dict: "an object", list: "a list", tuple: "a list"}
    return kinds.get(type(value), f"a {type(value).__name__}")


def _printable(text: str, longest: int) -> str:
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _refusal_from(error: ValidationError, model: type[BaseModel], where: str) -> Refusal:
    """Word Pydantic's first finding as ours; an unknown key is answered with the known ones.

    An unknown key goes before one that is missing: it is that one, misspelt.
    """
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    path = where
    for part in first["loc"]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}"
    kind, given = first["type"], shown(first["input"])
    match kind:
        case "refusal":
            return bad_input(path, first["ctx"]["problem"], first["ctx"]["code"])
        case "extra_forbidden":
            keys = _keys_at(model, first["loc"][:-1])
            return bad_input(path, f"unknown key; allowed are {keys}", "unknown_key")
        case "missing":
            return bad_input(path, "is required", "missing_key")
        case "model_type":
            return bad_input(path, f"{given} is not an object with {_keys_at(model, first['loc'])}")
        case "value_error":
            return bad_input(path, first["msg"].removeprefix("Value error, "))
    why = f"; allowed {_ALLOWED[kind]}" if kind in _ALLOWED else f": {first['msg']}"
    return bad_input(path, f"{given} is refused{why}")


def _keys_at(model: type[BaseModel], path: Sequence[int | str]) -> str:
    """Return the keys of the model that stands at ``path`` in ``model``."""
    at: type[BaseModel] | None = model
    for part in path:
        # Keys of a mapping are no fields: what it holds stands below them.
        if at is not None and part in _fields(at):
            at = _model_in(_fields(at)[part])
    return ", ".join(_fields(at or model))


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model that a field's type is, or is a list of, or may be beside null."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
