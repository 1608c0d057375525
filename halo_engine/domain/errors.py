"""Refusals: the exception, and the wording of what was wrong."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from halo_engine.domain.wording import what_is_allowed

RefusalStatus = Literal[400, 401, 404, 409]

_LONGEST_VALUE_SHOWN = 60
_LONGEST_FIELD_SHOWN = 200
#: So many faults of one input are told; data of a megabyte can have a hundred thousand.
_MOST_FAULTS = 100
_Model = TypeVar("_Model", bound=BaseModel)
_Value = TypeVar("_Value")

JsonObject = dict[str, Any]
#: The keys and indexes that lead to a value.
Path = tuple[str | int, ...]


class Refusal(Exception):  # noqa: N818 -- the contract's word: a refusal is an answer, not a fault
    """Refuses a request, with a reason for programs and for people (contract §11).

    ``status`` is 400, 401, 404 or 409; ``code`` is stable snake_case; ``message`` names the field
    and what is allowed. For several faults the message has a line for each, ``faults`` has each as
    JSON-ready data, and the code is the first one's. ``args`` has all of it, so a refusal survives
    pickling and a result backend.
    """

    def __init__(
        self, status: RefusalStatus, code: str, message: str, faults: Sequence[JsonObject] = ()
    ) -> None:
        super().__init__(status, code, message, *([faults] if faults else []))
        self.status: RefusalStatus = status
        self.code = code
        self.message = message
        self.faults = faults

    def __str__(self) -> str:
        return self.message

    def as_dict(self) -> JsonObject:
        """Return it as JSON-ready data: ``{status, code, message}``, and ``faults`` if any."""
        said: JsonObject = {"status": self.status, "code": self.code, "message": self.message}
        return said | {"faults": list(self.faults)} if self.faults else said


def bad_input(field: str, problem: str, code: str = "bad_input") -> Refusal:
    """Make the 400 for a field: ``field: problem``, where ``problem`` ends in what is allowed."""
    return Refusal(400, code, f"{printable(field, _LONGEST_FIELD_SHOWN)}: {problem}")


def together(refusals: Sequence[Refusal]) -> Refusal:
    """Combine several 400s into one; a single one stays as it is."""
    first = refusals[0]
    if len(refusals) == 1:
        return first
    faults = [{"code": each.code, "message": each.message} for each in refusals]
    return Refusal(400, first.code, "\n".join(each.message for each in refusals), faults)


def unauthorized(code: str, message: str) -> Refusal:
    """Make the 401 for a missing or wrong key or token."""
    return Refusal(401, code, message)


def not_found(what: str, key: str) -> Refusal:
    """Make the 404 for an unknown ``key`` of a ``what`` (contact, series, …)."""
    return Refusal(404, f"unknown_{what.replace(' ', '_')}", f"There is no {what} {shown(key)}.")


def conflict(code: str, message: str) -> Refusal:
    """Make the 409 for a request that the present state does not allow."""
    return Refusal(409, code, message)


@contextmanager
def located(where: str) -> Iterator[None]:
    """Prefix the message of a refusal raised inside with ``where: ``, the path of nested input."""
    try:
        yield
    except Refusal as refusal:
        raise Refusal(refusal.status, refusal.code, f"{where}: {refusal.message}") from refusal


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in data: its path, and what is wrong and allowed."""

    path: Path
    problem: str
    code: str = "bad_input"

    def below(self, *above: str | int) -> "Fault":
        """Return the fault with ``above`` put before its path."""
        return replace(self, path=(*above, *self.path))

    def refusal(self, where: str) -> Refusal:
        """Return the 400 about this fault; ``where`` names the root of the path."""
        name = named_path(where, self.path)
        return (
            bad_input(name, self.problem, self.code)
            if name
            else Refusal(400, self.code, self.problem)
        )


def named_path(where: str, path: Path) -> str:
    """Return the path as messages write it: ``series.welcome.steps[2].delay``."""
    parts = (f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return f"{where}{''.join(parts)}".removeprefix(".")


def examined(model: type[_Model], data: object) -> tuple[_Model | None, tuple[Fault, ...]]:
    """Build ``model`` from untrusted ``data``; return it, or None and all faults."""
    try:
        return model.model_validate(data), ()
    except ValidationError as error:
        return None, _faults_of(error, model)
    except Refusal as refusal:
        return None, (Fault((), refusal.message, refusal.code),)


def validated(model: type[_Model], data: object, where: str) -> _Model:
    """Build ``model`` from untrusted ``data``; raise a 400 about the first fault.

    ``where`` names the input as its sender knows it: ``audience_filters[0][1]``, ``send_window``.
    """
    built, faults = examined(model, data)
    if built is None:
        raise faults[0].refusal(where)
    return built


def several(title: str, faults: Sequence[Fault]) -> ValidationError:
    """Return the error that a validator raises for ``faults``; their paths begin at its field."""
    return ValidationError.from_exception_data(
        title,
        [
            InitErrorDetails(type=_placed(each.problem, each.code), loc=each.path, input=None)
            for each in faults
        ],
    )


def in_its_place(read: Callable[[object], _Value]) -> Callable[[object], _Value]:
    """Return ``read`` as a validator of a model, whose refusals name the path to the field.

    The path replaces the name that ``read`` itself gives the field.
    """

    def placed(value: object) -> _Value:
        try:
            return read(value)
        except Refusal as refusal:
            _, _, problem = refusal.message.partition(": ")
            raise _placed(problem, refusal.code) from None

    return placed


def _placed(problem: str, code: str) -> PydanticCustomError:
    return PydanticCustomError("refusal", "{problem}", {"code": code, "problem": problem})


def shown(value: object) -> str:
    """Quote an untrusted value for a message: short, printable, and safe to store and encode."""
    if isinstance(value, str):
        return f"‘{printable(value, _LONGEST_VALUE_SHOWN)}’"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int):
        # Python refuses to print integers of more than 4,300 digits.
        return str(value) if value.bit_length() <= 64 else "a huge number"
    if isinstance(value, float):
        return repr(value)
    kinds: dict[type, str] = {
        dict: "an object",
        list: "a list",
        tuple: "a list",
        # One with an offset was read as an instant.
        datetime: "a datetime without an offset",
    }
    return kinds.get(type(value), f"a {type(value).__name__}")


def printable(text: str, longest: int) -> str:
    """Return ``text`` cut to ``longest`` characters, what is not printable escaped."""
    cut = text if len(text) <= longest else text[: longest - 1] + "…"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in cut)


def _faults_of(error: ValidationError, model: type[BaseModel]) -> tuple[Fault, ...]:
    """Return Pydantic's errors in our words.

    Unknown keys come first: they are usually a misspelt required key, which is then left out. Of
    very many faults the first are returned.
    """
    found = error.errors(include_url=False)
    found.sort(key=lambda each: each["type"] != "extra_forbidden")
    del found[_MOST_FAULTS:]
    unknown = [each["loc"] for each in found if each["type"] == "extra_forbidden"]
    return tuple(
        _fault(each, model)
        for each in found
        if each["type"] != "missing" or not _is_misspelt(each["loc"], unknown)
    )


def _fault(found: ErrorDetails, model: type[BaseModel]) -> Fault:
    path, kind, context = found["loc"], found["type"], found.get("ctx", {})
    given = shown(found["input"])
    match kind:
        case "refusal":
            return Fault(path, context["problem"], context["code"])
        case "extra_forbidden":
            return Fault(path, _unknown_key(path[-1], _keys_at(model, path[:-1])), "unknown_key")
        case "missing":
            return Fault(path, "is required", "missing_key")
        case "model_type":
            keys = ", ".join(_keys_at(model, path))
            return Fault(path, f"{given} is not an object with {keys}")
        case "value_error":
            return Fault(path, str(context["error"]))
    return Fault(path, f"{given} is refused{what_is_allowed(kind, context)}")


def _unknown_key(key: object, allowed: Sequence[str]) -> str:
    close = get_close_matches(str(key), allowed, n=1)
    hint = f" (did you mean {shown(close[0])}?)" if close else ""
    return f"unknown key{hint}; allowed are {', '.join(allowed)}"


def _is_misspelt(missing: Path, unknown: Sequence[Path]) -> bool:
    """Return whether an unknown key of the same object looks like the missing one."""
    beside = [str(path[-1]) for path in unknown if path[:-1] == missing[:-1]]
    return bool(get_close_matches(str(missing[-1]), beside, n=1))


def _keys_at(model: type[BaseModel], path: Path) -> Sequence[str]:
    """Return the keys of the model at ``path`` in ``model``."""
    at: type[BaseModel] | None = model
    for part in path:
        # The keys of a mapping are no fields: skip them to reach its values.
        if at is not None and part in _fields(at):
            at = _model_in(_fields(at)[part])
    return list(_fields(at or model))


def _fields(model: type[BaseModel]) -> dict[str, object]:
    return {info.alias or name: info.annotation for name, info in model.model_fields.items()}


def _model_in(annotation: object) -> type[BaseModel] | None:
    """Return the model in a field's type: itself, in a list, or optional."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := _model_in(each))), None)
