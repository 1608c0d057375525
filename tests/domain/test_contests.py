"""Seats and addresses in one set: each contact is judged as if it came alone (contract §23)."""

from uuid import UUID

from halo_engine.domain.entering.addresses import first_created
from halo_engine.domain.entering.contests import Contender, losers_of
from halo_engine.domain.series.settings import Settings

ACME, BETA = UUID(int=1), UUID(int=2)


def lost(*contenders: tuple[UUID | None, str | None], ordinal: int = 0) -> list[str | None]:
    """Return the code of each contender, None for those who enter."""
    given = [Contender(ordinal, UUID(int=n), *each) for n, each in enumerate(contenders)]
    codes = {each.contact_id: each.code.value for each in losers_of(given)}
    return [codes.get(each.contact_id) for each in given]


def test_whoever_is_refused_for_the_address_leaves_the_seat_to_a_colleague() -> None:
    """A colleague then enters, and stands in the way of others with its own address."""
    assert lost((None, "x"), (ACME, "x"), (ACME, "y"), (BETA, "y"), (BETA, "z")) == [
        None,
        "address_already_enrolled",
        None,
        "address_already_enrolled",
        None,
    ]


def test_the_seat_is_asked_before_the_address() -> None:
    """A contact that lacks both is refused for the seat, and holds neither."""
    assert lost((ACME, "x"), (ACME, "x"), (None, "x"), (None, None)) == [
        None,
        "company_already_enrolled",
        "address_already_enrolled",
        None,
    ]


def test_series_do_not_contend_with_each_other() -> None:
    """An address is taken in one series alone."""
    given = [Contender(ordinal, UUID(int=9), None, "x") for ordinal in (0, 1)]
    assert list(losers_of(given)) == []


def test_explain_says_of_whom_the_first_created_enters() -> None:
    """The sentence names what the series counts, and is left out where it counts nothing."""
    assert first_created(Settings()) == ""
    assert first_created(Settings(one_per_company=True, one_per_address=True)) == (
        " Of several contacts of its company or with its address, the one that was created first "
        "enters."
    )
