"""Batches of entries that are checked one by one: a bad one is left out, alone (§2)."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, Field, ValidationInfo

from halo_engine.contacts.calls import described_as
from halo_engine.domain.answer import Answer
from halo_engine.domain.errors import Refusal, bad_input, located, validated

LARGEST_BATCH: Final = 500

_Call = TypeVar("_Call", bound=BaseModel)
_Result = TypeVar("_Result")


def _check_size(entries: object, info: ValidationInfo) -> object:
    if isinstance(entries, list) and len(entries) > LARGEST_BATCH:
        problem = f"{len(entries)} are too many; allowed are {LARGEST_BATCH} in a batch"
        raise bad_input(str(info.field_name), problem, "too_many")
    return entries


#: At most 500 entries of any kind; each is checked when it is read.
Batch = Annotated[list[Any], Field(max_length=LARGEST_BATCH), BeforeValidator(_check_size)]


def entries_of(model: type[BaseModel]) -> BeforeValidator:
    """Make a batch's schema describe its entries."""
    return described_as(Annotated[list[model], Field(max_length=LARGEST_BATCH)])  # type: ignore[valid-type]


class RefusedEntry(Answer):
    """An entry that was left out, by its index in the batch, and why."""

    index: int
    status: int
    code: str
    message: str


def read_each(
    entries: Sequence[object], model: type[_Call], where: str, read: Callable[[_Call], _Result]
) -> tuple[list[_Result], tuple[RefusedEntry, ...]]:
    """Read each entry; return the results, and the entries that were refused.

    ``where`` names the batch as its sender knows it: ``users``.
    """
    results: list[_Result] = []
    refused: list[RefusedEntry] = []
    for index, entry in enumerate(entries):
        path = f"{where}[{index}]"
        try:
            call = validated(model, entry, path)
            with located(path):
                results.append(read(call))
        except Refusal as refusal:
            refused.append(RefusedEntry.model_validate({"index": index, **refusal.as_dict()}))
    return results, tuple(refused)


def refused_too(
    errors: Sequence[RefusedEntry], outcomes: Sequence[Refusal | None], where: str
) -> tuple[RefusedEntry, ...]:
    """Add to the ``errors`` of reading a batch those of writing it; return all by index.

    ``outcomes`` belong to the entries that ``read_each`` did not refuse, in their order.
    """
    bad = {each.index for each in errors}
    sound = (index for index in range(len(errors) + len(outcomes)) if index not in bad)
    now = (
        _refused(index, f"{where}[{index}]", outcome)
        for index, outcome in zip(sound, outcomes, strict=True)
        if outcome is not None
    )
    return tuple(sorted((*errors, *now), key=lambda each: each.index))


def _refused(index: int, path: str, refusal: Refusal) -> RefusedEntry:
    said = {**refusal.as_dict(), "message": f"{path}: {refusal.message}"}
    return RefusedEntry.model_validate({"index": index, **said})
