"""`halo series render` and `send-test`: an email as a contact would get it (contract §9)."""

import json
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path

import pytest
from sqlalchemy import update

from halo_engine.tables import automation_recipients, automations, end_users, messages, signals
from halo_engine.work import Work
from tests.cli.console import Console
from tests.contacts.sandbox import add_message, rows

LETTERS = """\
    series:
      letters:
        kind: marketing
        entry_trigger: manual
        steps:
          - key: hello
            email:
              subject: "Grüße, {{ name|you }}"
              body: "Dear {{ name|you }},\\n\\nsee https://acme.example/{{ company.name|start }}."
          - {key: gate, delay: 1d, condition: {type: email_opened}}
"""


@pytest.fixture
def letters(halo: Console) -> Console:
    """An organisation with a draft and two contacts, one without an email."""
    halo("org", "change", halo.org, "--verified-domain", "--footer", "Acme Inc, 1 Main St")
    halo("series", "apply", halo.file("letters.yaml", LETTERS))
    halo("identify", "ann", "--trait", "email=ann@a.example", "--trait", "name=Ann <3")
    halo("identify", "bob", "--trait", "name=Bob")
    halo.work()
    return halo


def test_render_shows_headers_and_text(letters: Console) -> None:
    """Headers and text are decoded, as a mail program shows them; nothing is sent or written."""
    printed = letters("series", "render", "letters", "hello", "ann")
    head, _, text = printed.partition("\n\n")
    said = dict(line.split(": ", 1) for line in head.splitlines())
    assert said["From"] == "Halo <series@halo.example>"
    assert said["To"] == "ann@a.example"
    assert said["Subject"] == "Grüße, Ann <3"
    assert said["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    leave = said["List-Unsubscribe"].strip("<>")
    assert text.splitlines() == [
        *("Dear Ann <3,", "", "see https://acme.example/start.", ""),
        *("Acme Inc, 1 Main St", "", f"Unsubscribe: {leave}"),
    ]
    assert letters.perform(lambda work: rows(work, messages, "state")) == []


def test_render_shows_the_page(letters: Console) -> None:
    """With `--html` only the page is printed, to open in a browser."""
    page = letters("series", "render", "letters", "hello", "ann", "--html")
    assert page.startswith("<!doctype html>")
    assert "Dear Ann &lt;3," in page
    assert letters.json("series", "render", "letters", "hello", "ann")["html"] == page


def test_a_test_is_sent_and_nobody_knows(letters: Console, tmp_path: Path) -> None:
    """A test mail has a marked subject, and no row changes."""

    def state() -> object:
        tables = ((end_users, "last_contacted_at"), (messages, "state"), (signals, "id"))
        return letters.perform(lambda work: [rows(work, *each) for each in tables])

    before = state()
    arguments = ("series", "send-test", "letters", "hello", "ann", "--to", "me@halo.example")
    printed = letters(*arguments, HALO_MAIL_FOLDER=str(tmp_path / "mail"))
    assert printed == "letters hello of ann was sent to me@halo.example.\n"
    [file] = (tmp_path / "mail").glob("*.eml")
    mail = message_from_bytes(file.read_bytes(), policy=SMTP)
    assert (mail["To"], mail["Subject"]) == ("me@halo.example", "[Test] Grüße, Ann <3")
    assert state() == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("render", "letters", "bye", "ann"), "There is no step ‘bye’."),
        (("render", "letters", "hello", "eve"), "There is no contact ‘eve’."),
        (("render", "none", "hello", "ann"), "There is no series ‘none’."),
        (
            ("render", "letters", "gate", "ann"),
            "step: ‘gate’ is a condition; allowed is a step with an email",
        ),
        (
            ("render", "letters", "hello", "bob"),
            "contact: ‘bob’ has no email; allowed is a contact that has one",
        ),
        (("send-test", "letters", "hello", "ann", "--to", "nobody"), "send-test: to: ‘nobody’ is"),
    ],
)
def test_what_cannot_be_shown_is_refused(
    letters: Console, arguments: tuple[str, ...], said: str
) -> None:
    """One line names the problem."""
    printed = letters("series", *arguments, status=1)
    assert printed.startswith(f"Error: {said}")
    assert len(printed.splitlines()) == 1


def test_who_wants_no_mail_gets_no_test(letters: Console) -> None:
    """No test mail goes to an address that is suppressed in the organisation."""
    letters("list", "unsubscribe", "ann")
    arguments = ("series", "send-test", "letters", "hello", "bob", "--to", "Ann@a.example")
    printed = letters(*arguments, status=1)
    assert printed == "Error: ‘Ann@a.example’ is suppressed: it bounced, or wants no mail.\n"


def test_a_mail_server_that_refuses_is_quoted(letters: Console, tmp_path: Path) -> None:
    """The refusal has the server's words."""
    taken = tmp_path / "taken"
    taken.write_text("")
    arguments = ("series", "send-test", "letters", "hello", "ann", "--to", "me@halo.example")
    printed = letters(*arguments, status=1, HALO_MAIL_FOLDER=str(taken))
    assert printed.startswith(f"Error: It was not sent: {taken}: ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{{ nme }}", "‘nme’ is unknown (did you mean ‘name’?); allowed are email, name, "),
        ("{{ name", "‘{{ name’ is not a merge field; allowed are {{ name }} and {{ name|fal"),
        ("{{{ name }}}", "‘{{{ name }}}’ is not a merge field; allowed are"),
        ("{{ }}", "‘’ is unknown; allowed are"),
        ("{{ event: }}", "‘’ is not a name; allowed are 1 to 255 characters"),
    ],
)
@pytest.mark.parametrize("where", ["subject", "body"])
def test_a_broken_template_is_refused_when_it_is_saved(
    halo: Console, where: str, text: str, said: str
) -> None:
    """The refusal names step, text and what is allowed; nothing is saved."""
    email = {"subject": "Hi", "body": "Hi", where: f"Dear {text}"}
    step = f'{{key: hello, email: {{subject: "{email["subject"]}", body: "{email["body"]}"}}}}'
    file = halo.file("bad.yaml", f"series: {{s: {{entry_trigger: manual, steps: [{step}]}}}}")
    printed = halo("series", "apply", file, status=1)
    assert f"series.s.steps[0].email.{where}: {said}" in printed
    assert len(printed.splitlines()) == 1
    assert halo.json("series", "list") == []


def test_a_reply_is_taken_in_from_a_file(letters: Console) -> None:
    """The reply's organisation is found; the same file again, or a stranger's mail, changes
    nothing.
    """
    series = letters.perform(lambda work: rows(work, automations, "id")[0][0])
    ann = letters.perform(lambda work: min(id_ for (id_,) in rows(work, end_users, "id")))
    message_id = f"<{series}@acme.example>"
    letters.perform(lambda work: add_message(work, ann, series, "hello", message_id=message_id))
    file = letters.file("reply.eml", f"In-Reply-To: {message_id}\n\nHello\n")
    about = f"reply: about {message_id} to contact {ann}; "
    assert letters("mail", "receive", file) == f"{about}noted.\n"
    assert letters("mail", "receive", file) == f"{about}it had come before; nothing was done.\n"
    assert letters.json("mail", "receive", file) == {
        "kind": "reply",
        "reason": None,
        "message_id": message_id,
        "id": str(ann),
        "suppressed": False,
        "again": True,
    }
    stranger = letters.file("stranger.eml", "In-Reply-To: <a@b>\n\nHello\n")
    printed = letters("mail", "receive", stranger)
    assert printed == "reply: about no mail of ours; nothing was done.\n"


def test_read_says_what_a_mail_is_without_a_database(halo: Console) -> None:
    """The command prints the mail's kind and reason, and which sent mails it is about."""
    bounce = halo.file(
        "bounce.eml",
        """\
        From: MAILER-DAEMON@b.example
        Subject: failure notice

        <ann@b.example>: 550 5.1.1 no such user

        --- Below this line is a copy of the message.

        Message-ID: <1@acme.example>
        """,
    )
    nowhere = "postgresql://nobody@127.0.0.1:1/nothing"
    assert json.loads(halo("mail", "read", bounce, "--json", HALO_DATABASE_URL=nowhere)) == {
        "kind": "hard_bounce",
        "reason": "user_unknown",
        "message_ids": ["<1@acme.example>"],
        "mails": [],
    }
    assert halo("mail", "read", halo.file("note.eml", "Subject: Hello\n\nHello\n")).split() == [
        *("kind", "other", "reason", "-", "message_ids", "-", "mails", "-")
    ]


def test_a_file_that_cannot_be_read(halo: Console, tmp_path: Path) -> None:
    """The command prints one line, or JSON, and exits with 1, as for every other file."""
    missing = "none.eml"
    printed = halo("mail", "receive", missing, status=1)
    assert printed == f"Error: There is no file ‘{missing}’.\n"
    refused = halo.json("mail", "receive", missing, status=1)["refused"]
    assert (refused["status"], refused["code"]) == (404, "unknown_file")
    printed = halo("mail", "receive", str(tmp_path), status=1)
    assert printed == f"Error: {tmp_path}: cannot be read (Is a directory)\n"


def test_failed_emails_are_sent_again(letters: Console) -> None:
    """The answer counts emails sent and, by reason, emails held back; a second
    run sends nothing.
    """
    letters("identify", "cid", "--trait", "email=cid@a.example")
    letters.work()
    letters("series", "activate", "letters")
    letters.work()

    def fail(work: Work) -> None:
        """Turn sent mails into failed ones."""
        table = automation_recipients
        work.connection.execute(
            update(messages)
            .where(messages.c.org_id == work.org_id)
            .values(state="failed", sent_at=None, error="550 no")
        )
        work.connection.execute(
            update(table)
            .where(table.c.org_id == work.org_id, table.c.status == "completed")
            .values(status="failed", reason="550 no", exit_reason=None)
        )

    letters.perform(fail)
    letters("list", "unsubscribe", "cid")
    letters.work()
    assert letters("series", "retry-failed", "letters", "--step", "gate") == (
        "0 sent, 0 failed again\n"
    )
    folder = letters.folder / "mail"
    assert letters("series", "retry-failed", "letters", HALO_MAIL_FOLDER=str(folder)) == (
        "1 sent, 0 failed again\n1 held back: suppressed\n"
    )


def test_no_test_mail_goes_out_while_sending_is_stopped(letters: Console) -> None:
    """A stop also holds tests."""
    arguments = ("series", "send-test", "letters", "hello", "ann", "--to", "me@halo.example")
    letters("sending", "stop", "--org", letters.org)
    said = "Error: Sending is stopped; `halo sending start` lets mail out again.\n"
    assert letters(*arguments, status=1) == said
