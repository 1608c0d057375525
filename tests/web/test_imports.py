"""A file that is sent to be imported: kept in pieces as it comes, then started (contract §12)."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import func, select

from halo_engine.contacts.csv_import.uploads.pieces import CHUNK
from halo_engine.domain.roles import Role
from halo_engine.tables import audit_log, csv_chunks, csv_uploads
from halo_engine.work import OrgRef
from tests.web.conftest import Answer, Web
from tests.web.test_applications import key_of

ROW = "u1,ann@a.example,note\n"


@pytest.fixture(scope="module")
def org(web: Web) -> OrgRef:
    """An organisation for the module's files."""
    return web.organization()


def send(web: Web, org: OrgRef, file: bytes, role: Role = Role.EDITOR, **options: Any) -> Answer:
    """Send a file as an operator's program does."""
    query = f"?options={quote(json.dumps(options))}" if options else ""
    key = key_of(web, org, role)
    named = {"Authorization": f"Bearer {key}", "Content_Type": "text/csv; charset=utf-8"}
    return web.ask("POST", f"/api/imports{query}", file, **named)


def test_a_file_is_kept_in_pieces_and_started(web: Web, org: OrgRef) -> None:
    """The answer says how the file is read, and the import's route how far it is."""
    file = ("user_id,email,note\n" + ROW * (2 * CHUNK // len(ROW) + 1)).encode()
    answer = send(web, org, file, mapping={"user_id": "external_id"})
    assert answer.status == 202
    started = answer.json()
    assert (started["state"], started["bytes"]) == ("running", len(file))
    assert started["mapping"] == {"user_id": "external_id"}
    found = select(csv_chunks.c.data).where(csv_chunks.c.org_id == org.id)
    with web.database.connect() as connection:
        pieces = list(connection.scalars(found.order_by(csv_chunks.c.number)))
    assert [len(each) for each in pieces[:-1]] == [CHUNK] * 2
    assert b"".join(pieces) == file
    viewer = {"Authorization": f"Bearer {key_of(web, org, Role.VIEWER)}"}
    assert web.ask("GET", f"/api/imports/{started['id']}", None, **viewer).json() == started


def test_whoever_sent_it_is_noted(web: Web, org: OrgRef) -> None:
    """The audit log names the sender, with the import's id as target."""
    started = send(web, org, b"id\nann\n").json()
    noted = select(audit_log).where(audit_log.c.target == started["id"])
    with web.database.connect() as connection:
        row = connection.execute(noted).one()
    assert (row.action, row.via, row.after) == ("imports.start", "http", {"bytes": 7})


@pytest.mark.parametrize(
    ("file", "options", "status", "code"),
    [
        (b"name\nann\n", {}, 400, "bad_mapping"),
        (b"id\nann\n", {"mapping": {"id": "nothing"}}, 400, "bad_mapping"),
        (b"id\nann\n", {"mapped": {}}, 400, "unknown_key"),
    ],
)
def test_a_file_that_is_refused_leaves_nothing(
    web: Web, file: bytes, options: dict[str, Any], status: int, code: str
) -> None:
    """A file whose header does not fit is refused, and nothing is kept."""
    org = web.organization()
    answer = send(web, org, file, **options)
    assert (answer.status, answer.json()["code"]) == (status, code)
    with web.database.connect() as connection:
        left = connection.scalar(select(func.count()).where(csv_uploads.c.org_id == org.id))
    assert left == 0


def _part(name: str, value: bytes) -> bytes:
    head = f'--cut\r\nContent-Disposition: form-data; name="{name}"; filename="a.csv"\r\n\r\n'
    return head.encode() + value + b"\r\n"


OPTIONS = _part("options", b'{"mapping": {"who": "external_id"}}')
FILE = _part("file", b"who\nann\n")
END = b"--cut--\r\n"


def _send_form(web: Web, org: OrgRef, form: bytes, query: str = "") -> Answer:
    named = {
        "Authorization": f"Bearer {key_of(web, org, Role.EDITOR)}",
        "Content_Type": "multipart/form-data; boundary=cut",
    }
    return web.ask("POST", f"/api/imports{query}", form, **named)


def test_a_file_comes_as_a_form_too(web: Web) -> None:
    """In a form the part `file` is kept byte by byte, and `options` say how it is read."""
    org = web.organization()
    file = b"who,note\r\n" + b"ann,--cut\r\n" * (CHUNK // 11 + 1)
    answer = _send_form(web, org, OPTIONS + _part("file", file) + END)
    assert (answer.status, answer.json()["bytes"]) == (202, len(file))
    assert answer.json()["mapping"] == {"who": "external_id"}
    found = select(csv_chunks.c.data).where(csv_chunks.c.org_id == org.id)
    with web.database.connect() as connection:
        pieces = connection.scalars(found.order_by(csv_chunks.c.number)).all()
    assert (len(pieces), b"".join(pieces)) == (2, file)


@pytest.mark.parametrize(
    ("form", "query", "refusal"),
    [
        (FILE, "", (400, "bad_form")),
        (FILE[:-4], "", (400, "bad_form")),
        (b"no form" + FILE + END, "", (400, "bad_form")),
        (OPTIONS + END, "", (400, "bad_input")),
        (FILE + OPTIONS + END, "", (400, "bad_input")),
        (FILE + FILE + END, "", (400, "duplicate_key")),
        (OPTIONS + FILE + END, "?options={}", (400, "duplicate_key")),
        (_part("picture", b"") + FILE + END, "", (400, "unknown_key")),
        (_part("options", b"{") + FILE + END, "", (400, "bad_json")),
        (_part("options", b" " * 65_537) + FILE + END, "", (413, "too_large")),
        (OPTIONS + FILE + END, "?mapping={}", (400, "unknown_key")),
    ],
)
def test_a_form_that_is_refused_leaves_nothing(
    web: Web, org: OrgRef, form: bytes, query: str, refusal: tuple[int, str]
) -> None:
    """A form that ends early, repeats a part or has an unknown one is refused, and nothing is
    kept.
    """
    answer = _send_form(web, org, form, query)
    assert (answer.status, answer.json()["code"]) == refusal
    coming = (csv_uploads.c.org_id == org.id, csv_uploads.c.state == "uploading")
    with web.database.connect() as connection:
        assert connection.scalar(select(func.count()).where(*coming)) == 0


def test_a_file_with_an_idempotency_key_is_imported_once(web: Web) -> None:
    """A file under a used key is imported once, sent in either way; another file is a 409."""
    org = web.organization()
    named = {
        "Authorization": f"Bearer {key_of(web, org, Role.EDITOR)}",
        "Content_Type": "text/csv",
        "Idempotency_Key": "k",
    }

    def send_file(file: bytes) -> Answer:
        return web.ask("POST", "/api/imports", file, **named)

    assert send_file(b"name\nann\n").json()["code"] == "bad_mapping"
    first = send_file(b"id\nann\n")
    again = send_file(b"id\nann\n")
    assert (first.status, again.status, again.json()) == (202, 202, first.json())
    other = send_file(b"id\nben\n")
    assert (other.status, other.json()["code"]) == (409, "idempotency_key_reused")
    form = {**named, "Content_Type": "multipart/form-data; boundary=cut"}
    as_form = web.ask("POST", "/api/imports", _part("file", b"id\nann\n") + END, **form)
    assert as_form.json()["id"] == first.json()["id"]
    with web.database.connect() as connection:
        kept = select(func.count()).where(csv_uploads.c.org_id == org.id)
        assert connection.scalar(kept) == 1


def test_another_type_and_another_role_are_refused(web: Web, org: OrgRef) -> None:
    """Another type or role is refused before the file is read."""
    editor = {"Authorization": f"Bearer {key_of(web, org, Role.EDITOR)}"}
    answer = web.ask("POST", "/api/imports", b"{}", Content_Type="application/json", **editor)
    assert (answer.status, answer.json()["code"]) == (415, "unsupported_type")
    answer = send(web, org, b"id\nann\n", Role.VIEWER)
    assert (answer.status, answer.json()["code"]) == (403, "forbidden")
