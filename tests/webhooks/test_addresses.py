"""Webhooks go to public addresses alone, at the moment of the call (contract §14)."""

from collections.abc import Sequence
from contextlib import closing
from ipaddress import ip_address

import pytest

from halo_engine.domain.errors import Refusal
from halo_engine.webhooks.addresses import Address, is_public
from halo_engine.webhooks.posting import CallRules, EndpointClient, Reply, WebhookMessage
from tests.webhooks.receiver import Receiver
from tests.webhooks.sandbox import Hooks

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def post(url: str, rules: CallRules) -> Reply:
    """Post a message, and close the connection."""
    with closing(EndpointClient(url, rules)) as caller:
        return caller.post(WebhookMessage("msg_1", "{}"), [SECRET])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "2002:a00:1::",
    ],
)
def test_an_address_that_is_not_public_is_not_called(address: str) -> None:
    """Loopback, private, link-local, shared, multicast and IPv4-mapped addresses are refused."""
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", ["93.184.215.14", "2606:2800:21f:cb07::1", "::ffff:8.8.8.8"])
def test_a_public_address_may_be_called(address: str) -> None:
    """Public addresses of both families are allowed."""
    assert is_public(ip_address(address))


def test_a_name_with_a_private_address_is_not_called(receiver: Receiver) -> None:
    """If one of a name's addresses is private, nothing is sent."""

    def resolver(_host: str, _port: int) -> Sequence[Address]:
        return [ip_address("93.184.215.14"), ip_address("127.0.0.1")]

    url = receiver.url.replace("127.0.0.1", "hooks.halo.example")
    reply = post(url, CallRules(resolver=resolver))
    assert reply.problem == "the address 127.0.0.1 is private; allowed are public ones"
    assert receiver.taken == []


def test_the_address_that_was_checked_is_connected_to(receiver: Receiver) -> None:
    """A name is looked up once, and the checked address is the one that is called."""
    asked: list[str] = []

    def resolver(host: str, _port: int) -> Sequence[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1")]

    url = receiver.url.replace("127.0.0.1", "hooks.halo.example")
    assert post(url, CallRules(allow_private=True, resolver=resolver)).status == 204
    assert asked == ["hooks.halo.example"]
    [taken] = receiver.taken
    assert taken.headers["host"].startswith("hooks.halo.example:")


def test_proxies_of_the_environment_are_not_used(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment's proxies are ignored, since a proxy could reach private addresses."""
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    assert post(receiver.url, CallRules(allow_private=True)).status == 204


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://hooks.halo.example/", "bad_url"),
        ("ftp://hooks.halo.example/", "bad_url"),
        ("https://user:secret@hooks.halo.example/", "bad_url"),
        ("https://hooks.halo.example/#part", "bad_url"),
        ("https:///halo", "bad_url"),
        ("hooks.halo.example", "bad_url"),
        ("https://10.0.0.1/", "private_address"),
        ("https://[::1]/", "private_address"),
    ],
)
def test_an_endpoint_that_may_not_be_called_is_refused(hooks: Hooks, url: str, code: str) -> None:
    """An endpoint whose URL names a private address is refused when it is created."""
    hooks.rules = CallRules()
    with pytest.raises(Refusal) as refused:
        hooks.endpoint(url)
    assert (refused.value.status, refused.value.code) == (400, code)


def test_an_endpoint_that_does_not_answer_is_given_up_in_time(receiver: Receiver) -> None:
    """The deadline is for the whole exchange, not for each piece."""
    receiver.answers = lambda _: (receiver.released.wait(10) and 204) or 204
    caller = EndpointClient(receiver.url, CallRules(allow_private=True, patience=0.2))
    try:
        reply = caller.post(WebhookMessage("msg_1", "{}"), [SECRET])
    finally:
        receiver.released.set()
    assert reply.problem == "no answer within 0.2 s"
