"""What a form or a query says, and the errors that stand at its inputs (contract §17)."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import parse_qsl

from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.doors.table import DOORS

from ..messages.refusals import members
from ..messages.requests import Request, unsupported

_KIND: Final = b"application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 10_000
_DOORS: Final = re.compile(
    "|".join(rf"{re.escape(name)}[.:] ?" for name in sorted(f"halo.{name}" for name in DOORS))
)


@dataclass(frozen=True, slots=True)
class Form:
    """Names and values in their order, as a form or a query has them; a name may come again."""

    pairs: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, encoded: bytes) -> Self:
        """Return what is encoded as a form; raises a 400 for what is none."""
        try:
            found = parse_qsl(
                encoded.decode("ascii"),
                keep_blank_values=True,
                errors="strict",
                max_num_fields=_MOST_FIELDS,
            )
        except ValueError:
            problem = f"is no form in UTF-8; allowed are {_MOST_FIELDS} fields"
            raise bad_input("body", problem, "bad_form") from None
        # A browser ends the lines of a text with CR and LF.
        return cls(tuple((name, value.replace("\r\n", "\n")) for name, value in found))

    def __contains__(self, name: object) -> bool:
        return any(name == each for each, _ in self.pairs)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.pairs)

    def get(self, name: str, otherwise: str = "") -> str:
        """Return the first value of a name."""
        return next((value for each, value in self.pairs if each == name), otherwise)

    def all(self, name: str) -> list[str]:
        """Return every value of a name."""
        return [value for each, value in self.pairs if each == name]

    def given(self, names: Iterable[str]) -> dict[str, str]:
        """Return the values of these names that are not blank."""
        found = {name: self.get(name).strip() for name in names}
        return {name: value for name, value in found.items() if value}


async def form_body(request: Request) -> bytes:
    """Return the body of a request that is a form; raises a 415 for another kind of body."""
    kind, _, _ = request.headers.get(b"content-type", _KIND).partition(b";")
    body = await request.body()
    if kind.strip().lower() != _KIND:
        raise unsupported("Content-Type", _KIND.decode())
    return body


@dataclass(frozen=True, slots=True)
class Faults:
    """What is wrong with a form: a message for each input that has one, and others."""

    of_inputs: Mapping[str, str] = field(default_factory=dict)
    others: tuple[str, ...] = ()

    @classmethod
    def of(cls, refusal: Refusal, inputs: Iterable[str]) -> Self:
        """Return what a refusal says: of each of these ``inputs``, and what names none of them."""
        known = set(inputs)
        of_inputs: dict[str, str] = {}
        others: list[str] = []
        for message in refusal.message.splitlines():
            name = str(members(Refusal(refusal.status, refusal.code, message)).get("field", ""))
            if name in known:
                of_inputs.setdefault(name, _DOORS.sub("", message, count=1).partition(": ")[2])
            else:
                others.append(message)
        return cls(of_inputs, tuple(others))

    def __bool__(self) -> bool:
        return bool(self.of_inputs or self.others)

    def get(self, name: str) -> str:
        """Return what is wrong with an input; nothing is an empty text."""
        return self.of_inputs.get(name, "")


NO_FAULTS: Final = Faults()
