"""Tokens in the links of mails: only what was signed is read back (§9)."""

import base64
import json
from uuid import UUID, uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from halo_engine.domain.errors import Refusal
from halo_engine.domain.mail_tokens import LONGEST_URL, MailToken, Purpose, organization_of

KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
ORG, LIST = UUID(int=7), UUID(int=8)

_TOKENS = st.builds(
    MailToken,
    purpose=st.sampled_from(Purpose),
    org_id=st.uuids(),
    recipient_id=st.integers(-(2**63), 2**63 - 1),
    about=st.binary(max_size=100),
)


def refused(text: str, purpose: Purpose = Purpose.UNSUBSCRIBE, key: bytes = KEY) -> bool:
    """Return whether a token is refused as one that was not made here."""
    try:
        MailToken.verified(text, key, purpose)
    except Refusal as refusal:
        return (refusal.status, refusal.code) == (401, "bad_token")
    return False


@given(token=_TOKENS)
def test_what_was_signed_is_read_back(token: MailToken) -> None:
    """A token is read back whole for its purpose, and is safe in a URL."""
    text = token.signed(KEY)
    assert MailToken.verified(text, KEY, token.purpose) == token
    assert organization_of(text) == token.org_id
    assert set(text) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@given(token=_TOKENS)
def test_it_is_for_its_own_purpose_and_organisation(token: MailToken) -> None:
    """A token is refused for every other purpose, and with another organisation's key."""
    text = token.signed(KEY)
    others = set(Purpose) - {token.purpose}
    assert all(refused(text, purpose) for purpose in others)
    assert refused(text, token.purpose, OTHER_KEY)


@given(token=_TOKENS, data=st.data())
def test_a_changed_token_is_refused(token: MailToken, data: st.DataObject) -> None:
    """A token with a changed bit, cut, lengthened or padded is refused."""
    text = token.signed(KEY)
    place = data.draw(st.integers(0, 8 * len(text) - 1))
    flipped = bytearray(text.encode())
    flipped[place // 8] ^= 1 << place % 8
    cut = data.draw(st.integers(0, len(text) - 1))
    for forged in (
        flipped.decode("latin-1"),
        text[:cut],
        text[cut + 1 :],
        text + "A",
        text + "=",
        f" {text}",
    ):
        assert refused(forged, token.purpose)


def test_every_bit_counts() -> None:
    """A token is one text: the bits that base64 ignores at the end count too."""
    text = MailToken(Purpose.OPEN, ORG, 5, b"x").signed(KEY)
    for place in range(8 * len(text)):
        flipped = bytearray(text.encode())
        flipped[place // 8] ^= 1 << place % 8
        assert refused(flipped.decode("latin-1"), Purpose.OPEN)


@given(text=st.one_of(st.text(max_size=300), st.binary(max_size=200).map(base64.urlsafe_b64encode)))
def test_nothing_else_is_a_token(text: str | bytes) -> None:
    """Any other text is refused."""
    named = text if isinstance(text, str) else text.rstrip(b"=").decode()
    assert all(refused(named, purpose) for purpose in Purpose)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_a_jwt_is_no_token(algorithm: str) -> None:
    """Tokens with another algorithm are refused: ``none``, and others with the right key."""
    claims = {"purpose": 1, "org": str(ORG), "recipient": 5}
    forged = jwt.encode(claims, KEY if algorithm == "HS256" else "", algorithm=algorithm)
    assert refused(forged)
    assert refused(base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).decode())


def test_what_a_token_is_about() -> None:
    """A token names a list, everything, or a URL in any script."""
    assert MailToken(Purpose.UNSUBSCRIBE, ORG, 5, LIST.bytes).list_id == LIST
    assert MailToken(Purpose.UNSUBSCRIBE, ORG, 5).list_id is None
    assert MailToken(Purpose.CLICK, ORG, 5, "https://ä.example".encode()).url == "https://ä.example"


def test_the_longest_link_has_a_token() -> None:
    """The longest tracked link has a token; a megabyte is not even decoded."""
    token = MailToken(Purpose.CLICK, uuid4(), 2**63 - 1, b"a" * LONGEST_URL)
    assert MailToken.verified(token.signed(KEY), KEY, Purpose.CLICK) == token
    assert refused("A" * 1_000_000)
