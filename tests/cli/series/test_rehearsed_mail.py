"""`halo test`: raw mails that come in, and what is expected of what was sent."""

from pathlib import Path
from textwrap import dedent, indent

import pytest
from sqlalchemy import Engine

from halo_engine.rehearsal.player import play_file
from tests.pipeline.sandbox import counted_statements

SENT = """\
    scenario: A mail comes in
    series:
      s:
        entry_trigger: user_created
        settings: {exit_rules: [replied]}
        steps:
          - {key: a, email: {subject: A, body: A}}
          - {key: b, delay: 1d, email: {subject: B, body: B}}
    timeline:
      - activate: s
      - identify: {user_id: ann/1, traits: {email: ann@a.example}}
      - capture_lead: {email: Lea@a.example}
"""
REPLY = """\
    From: ann@a.example
    In-Reply-To: {}
    Message-ID: <1@a.example>

    Jörg says yes.
"""
REPORT = """\
    From: MAILER-DAEMON@mx.example
    Message-ID: <2@mx.example>
    MIME-Version: 1.0
    Content-Type: multipart/report; report-type=delivery-status; boundary=b

    --b
    Content-Type: message/delivery-status

    Reporting-MTA: dns; mx.example

    Final-Recipient: rfc822; ann@a.example
    Action: failed
    Status: 5.1.1

    --b
    Content-Type: message/rfc822

    Message-ID: {}

    A
    --b--
"""


def _played(folder: Path, database: Engine, *entries: str) -> tuple[str, ...]:
    file = folder / "mail.yaml"
    timeline = "".join(indent(dedent(entry), "  ") for entry in entries)
    file.write_text(dedent(SENT) + timeline, encoding="utf-8")
    return play_file(file, database).differences


@pytest.mark.parametrize(
    ("mail", "reason"), [(REPLY, "replied"), (REPORT, "suppressed")], ids=["reply", "report"]
)
@pytest.mark.parametrize("named", ["{message_id: s/ann/1/a}", "<{message_id: s/ann/1/a}>"])
def test_raw_mail_is_about_the_mail_that_it_names(
    shared_database: Engine, tmp_path: Path, mail: str, reason: str, named: str
) -> None:
    """The name of a sent mail stands for its Message-ID, in text and in a file, brackets or not."""
    raw = dedent(mail).format(named)
    (tmp_path / "mail.eml").write_text(raw, encoding="utf-8")
    ended = f"- expect: {{exited: {{s: {{ann/1: {reason}}}}}, active: {{s: [Lea@a.example]}}}}\n"
    for value in (f"{{text: {raw!r}}}".replace("'", '"'), "{file: mail.eml}"):
        assert _played(tmp_path, shared_database, f"- receive: {value}\n", ended) == ()


def test_mail_to_a_lead_is_named_by_its_address(shared_database: Engine, tmp_path: Path) -> None:
    """A lead is named in any case; a mail that comes again does nothing."""
    raw = dedent(REPLY).format("{message_id: s/lea@a.example/a}")
    receive = f"- receive: {{text: {raw!r}}}\n".replace("'", '"')
    expect = "- expect: {answer: {kind: reply, again: %s}, exited: {s: {Lea@a.example: replied}}}\n"
    played = [receive, expect % "false", receive, expect % "true"]
    assert _played(tmp_path, shared_database, *played) == ()


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("{}", "400 receive: text: allowed is either text or a file"),
        ("{text: a, file: b}", "400 receive: text: allowed is either text or a file"),
        (
            "{file: no.eml}",
            "400 receive.file: ‘no.eml’ cannot be read; allowed is a file from the ",
        ),
        ("{text: a, by: me}", "400 receive.by: unknown key; allowed are text, file"),
        (
            '{text: "In-Reply-To: {message_id: s/ann/1/b}"}',
            "404 receive.message_id: there is no mail ‘s/ann/1/b’; allowed is SERIES/CONTACT/STEP",
        ),
    ],
)
def test_raw_mail_that_cannot_come_in(
    shared_database: Engine, tmp_path: Path, value: str, said: str
) -> None:
    """A mail that is not there, a file that is none and other keys are refused by name."""
    [difference] = _played(tmp_path, shared_database, f"- receive: {value}\n")
    assert difference.startswith(f"timeline entry 4 (receive): was refused: {said}")


def test_who_opened_is_a_person_or_a_machine(shared_database: Engine, tmp_path: Path) -> None:
    """Anybody else is refused by name."""
    entry = "- open: {contact: ann/1, series: s, step: a, by: robot}\n"
    [difference] = _played(tmp_path, shared_database, entry)
    said = "400 open.by: ‘robot’ is refused; allowed are person, machine"
    assert difference == f"timeline entry 4 (open): was refused: {said}"


def test_contact_without_steps_was_sent_nothing(shared_database: Engine, tmp_path: Path) -> None:
    """No steps say the same as not being named; where there was a mail it is a difference."""
    held = "- expect: {sent: {s: {ann/1: [a], Lea@a.example: [a], ben: []}}}\n"
    wrong = "- expect: {sent: {s: {ann/1: [], Lea@a.example: [a]}}}\n"
    [difference] = _played(tmp_path, shared_database, held, wrong)
    assert difference.startswith("timeline entry 5 (expect): sent of s: expected ")


def test_lead_is_named_in_any_case_by_each_key(shared_database: Engine, tmp_path: Path) -> None:
    """An address names a lead whatever its case, in every key that names contacts."""
    address = "lea@A.example"
    expect = (
        f"- expect: {{active: {{s: [ann/1, {address}]}}}}\n"
        f"- expect: {{sent: {{s: {{ann/1: [a], {address}: [a]}}}}}}\n"
        "- expect: {recipients: {s: [{contact: ann/1}, {contact: ann/1}, "
        f"{{contact: {address}, step: a}}, {{contact: {address}, step: b}}]}}}}\n"
    )
    ended = f"- expect: {{exited: {{s: {{{address}: manual}}}}, converted: {{s: []}}}}\n"
    remove = f"- remove: {{contact: {address}, series: s}}\n"
    assert _played(tmp_path, shared_database, expect, remove, ended) == ()


@pytest.mark.parametrize(
    "expected", ["sent: {s: {%s: [a], %s: []}}", "exited: {s: {%s: manual, %s: replied}}"]
)
def test_lead_is_named_once_under_a_series(
    shared_database: Engine, tmp_path: Path, expected: str
) -> None:
    """Two spellings of a lead's address are refused, with their key: one would hide the other."""
    leads = ("lea@a.example", "LEA@a.example")
    [difference] = _played(tmp_path, shared_database, f"- expect: {{{expected % leads}}}\n")
    key = expected.partition(":")[0]
    said = f"{key}: s: lea@a.example and LEA@a.example are one contact; allowed is one of them"
    assert difference == f"timeline entry 4 (expect): {said}"


def test_leads_are_looked_up_together(shared_database: Engine, tmp_path: Path) -> None:
    """An expectation takes the same statements, however many addresses it names."""
    statements = []
    for names in ("lea@a.example", "lea@a.example, no@a.example, nobody@a.example"):
        with counted_statements(shared_database) as counted:
            entry = f"- expect: {{active: {{s: [{names}]}}, converted: {{s: [{names}]}}}}\n"
            _played(tmp_path, shared_database, entry)
        statements.append(len(counted))
    assert statements[0] == statements[1]
