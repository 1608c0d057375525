"""Which messages a worker accepts, and why it refuses the others."""

import base64
import bz2
import json
import lzma
import zlib
from typing import Any

import pytest

from workers.broker import envelopes
from workers.broker.envelopes import Bounds, Unreadable, read_envelope

_SMALL = Bounds(size=2_000, depth=8, digits=20)
_BODY: list[Any] = [[], {"widget_key": "acme", "user_id": "ann"}, {"callbacks": None}]
_HEADERS = {"id": "1a2b", "task": "halo.identify", "retries": 0, "eta": None, "lang": "py"}


def _message(
    body: object = _BODY,
    headers: object = None,
    packed: bytes = b"",
    content_type: str = "application/json",
    coding: str = "utf-8",
    **other: Any,
) -> bytes:
    """A message as Celery writes it, of which a test changes one thing."""
    text = packed or (body if isinstance(body, bytes) else json.dumps(body).encode())
    envelope = {
        "body": base64.b64encode(text).decode(),
        "content-type": content_type,
        "content-encoding": coding,
        "headers": _HEADERS if headers is None else headers,
        "properties": {
            "body_encoding": "base64",
            "delivery_tag": "theirs",
            "delivery_info": {"exchange": "", "routing_key": "halo.calls"},
            "priority": 0,
        },
    }
    return json.dumps({**envelope, **other}).encode()


def _nested(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


def test_a_message_of_celerys_is_rebuilt_in_plain_json() -> None:
    """The body becomes text, the headers stay, and the tag that it names is not used."""
    assert read_envelope(_message()) == {
        "body": json.dumps(_BODY),
        "content-type": "application/json",
        "content-encoding": "utf-8",
        "headers": _HEADERS,
        "properties": {
            "priority": 0,
            "body_encoding": None,
            "delivery_info": {"exchange": "", "routing_key": "halo.calls"},
        },
    }


def test_headers_that_celery_does_not_know_stay_and_time_limits_go() -> None:
    """Unknown headers, such as tracing's, stay; a sender's time limits are dropped."""
    headers = {**_HEADERS, "traceparent": "00-1-2-01", "timelimit": [None, 900_000]}
    read = read_envelope(_message(headers=headers))
    assert read["headers"] == {**_HEADERS, "traceparent": "00-1-2-01"}


def test_protocol_1_is_read_as_protocol_2() -> None:
    """A message in protocol 1, which has all in its body, is read as protocol 2."""
    body = {"id": "1a2b", "task": "halo.track", "kwargs": {"event": "paid"}, "retries": 0}
    read = read_envelope(_message(body, headers={}))
    assert read["headers"] == {"id": "1a2b", "task": "halo.track", "retries": 0}
    embedded = {"callbacks": None, "errbacks": None, "chord": None, "chain": None}
    assert json.loads(read["body"]) == [[], {"event": "paid"}, embedded]


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("application/x-gzip", zlib.compress),
        ("application/x-bz2", bz2.compress),
        ("application/x-lzma", lzma.compress),
    ],
)
def test_a_compressed_body_is_unpacked(name: str, pack: Any) -> None:
    """The pool gets a plain body, whose size is bounded after unpacking."""
    headers = {**_HEADERS, "compression": name}
    read = read_envelope(_message(headers=headers, packed=pack(json.dumps(_BODY).encode())))
    assert (json.loads(read["body"]), read["headers"]) == (_BODY, _HEADERS)
    large = pack(json.dumps([[], {"text": "x" * 3_000}, None]).encode())
    with pytest.raises(Unreadable) as raised:
        read_envelope(_message(headers=headers, packed=large), _SMALL)
    assert str(raised.value) == "more than 2000 bytes when unpacked"


def test_unpacking_takes_no_more_memory_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sender chooses how large a dictionary LZMA asks for; the bound is ours."""
    monkeypatch.setattr(envelopes, "_LZMA_MEMORY", 1024 * 1024)
    headers = {**_HEADERS, "compression": "application/x-lzma"}
    with pytest.raises(Unreadable) as raised:
        read_envelope(_message(headers=headers, packed=lzma.compress(json.dumps(_BODY).encode())))
    assert str(raised.value) == "body: is not compressed as its header says"


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"no json", "message: is no JSON in UTF-8"),
        (b'"text"', "message: is no JSON object"),
        (b"\xff\xfe", "message: is no JSON in UTF-8"),
        (b'{"headers": []}', "headers: is no JSON object"),
        (_message(properties=[]), "properties: is no JSON object"),
        (b"[" + b" " * 2_000 + b"]", "2002 bytes; allowed are 2000"),
        (
            _message(content_type="application/x-python-serialize"),
            "content-type: is not application/json",
        ),
        (_message(coding="utf-16"), "content-encoding: is not utf-8"),
        (_message(b"\xff"), "body: is no UTF-8"),
        (_message(b"{"), "body: is no JSON in UTF-8"),
        (json.dumps({"headers": _HEADERS}).encode(), "body: is missing, or no text"),
        (_message(properties={"body_encoding": "rot13"}), "body_encoding: is none of"),
        (_message([[], {"x": _nested(7)}, None]), "body: nests deeper than 8 levels"),
        (_message(headers={**_HEADERS, "x": _nested(7)}), "message: nests deeper than 8"),
        (_message([[], {"x": 10**20}, None]), "body: an integer of 21 digits"),
        (_message([1, 2]), "body: is not [arguments, arguments by name, what follows]"),
        (_message("text"), "body: is not [arguments, arguments by name, what follows]"),
        (_message(headers={"task": "halo.track"}), "header id: is missing"),
        (_message(headers={"id": "1a2b"}), "header task: is missing"),
        (_message(headers={**_HEADERS, "id": "1\n2"}), "header id: is of another type or form"),
        (_message(headers={**_HEADERS, "id": 7}), "header id: is of another type or form"),
        (_message(headers={**_HEADERS, "retries": "many"}), "header retries: is of another"),
        (_message(headers={**_HEADERS, "eta": "soon"}), "header eta: is of another type"),
        (_message(headers={**_HEADERS, "expires": "0001-01-01"}), "header expires: is of another"),
        (_message(headers={**_HEADERS, "stamped_headers": [1]}), "header stamped_headers: is of"),
        (_message(headers={**_HEADERS, "compression": "x"}), "compression: is none of"),
        (
            _message(headers={**_HEADERS, "compression": "application/x-gzip"}),
            "body: is not compressed as its header says",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_message_that_is_not_celerys_is_refused(raw: bytes, reason: str) -> None:
    """Each kind of malformed message is refused with what is wrong with it."""
    with pytest.raises(Unreadable) as raised:
        read_envelope(raw, _SMALL)
    assert str(raised.value).startswith(reason)


def test_a_sender_can_be_told_where_its_id_can_be_read() -> None:
    """The sender of a refused message may wait for the result of its task."""
    with pytest.raises(Unreadable) as raised:
        read_envelope(_message([1, 2]))
    assert raised.value.task_id == "1a2b"
    with pytest.raises(Unreadable) as raised:
        read_envelope(_message(headers={**_HEADERS, "id": ["1a2b"]}))
    assert raised.value.task_id is None
