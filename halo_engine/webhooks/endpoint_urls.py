"""Which URLs an endpoint may have (contract §14)."""

from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from halo_engine.domain.errors import Refusal, bad_input
from halo_engine.webhooks.addresses import PrivateAddressError, is_public
from halo_engine.webhooks.posting import CallRules

#: In characters.
_LONGEST: Final = 2_000


def check_url(url: str, rules: CallRules) -> None:
    """Raise a 400 unless webhooks may be posted to the URL; a host name is checked when it is
    called.
    """
    schemes = ("https", "http") if rules.allow_private else ("https",)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _bad_url() from None
    is_plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= _LONGEST
    has_user = parts.username is not None or parts.password is not None
    if not (is_plain and parts.scheme in schemes and parts.hostname and port != 0):
        raise _bad_url()
    if has_user or parts.fragment:
        raise _bad_url()
    try:
        address = ip_address(parts.hostname)
    except ValueError:
        return
    if not rules.allow_private and not is_public(address):
        raise Refusal(400, "private_address", f"url: {PrivateAddressError(address)}.")


def _bad_url() -> Refusal:
    problem = (
        f"is no https URL of at most {_LONGEST} characters, in plain ASCII, without a user and"
        " a fragment; write https://hooks.acme.example/halo"
    )
    return bad_input("url", problem, "bad_url")
