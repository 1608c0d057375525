"""The actions about mails: they are opened and clicked (§5, §16), and raw ones come in (§2)."""

import re
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Final, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator
from sqlalchemy import Select, select

from halo_engine.contacts.calls import Call
from halo_engine.contacts.finding import Noted, find_known
from halo_engine.domain.errors import Refusal, bad_input, shown, validated
from halo_engine.mail.incoming.events import ReadMailCall
from halo_engine.rehearsal.sandbox import Sandbox
from halo_engine.sql.statements import statement
from halo_engine.tables import automation_steps, automations, messages
from halo_engine.work import Work

#: Stands for the Message-ID of a mail that was sent, with or without brackets around it.
_NAMED_MAIL: Final = re.compile(r"<?\{message_id:\s*([^{}]+?)\s*\}>?")
_MAIL_FORM: Final = "SERIES/CONTACT/STEP of a mail that was sent"


class ReadByCall(ReadMailCall):
    """A mail that was opened, or a link in it clicked, and by whom."""

    by: Literal["person", "machine"] = Field(
        default="person", description="Who did it: a person, or a machine such as a scanner."
    )

    @property
    def as_door(self) -> ReadMailCall:
        """The call of the door."""
        given = self.model_dump(exclude={"by"})
        return ReadMailCall(**{**given, "machine": self.machine or self.by == "machine"})


class ComingCall(Call):
    """A raw mail (RFC 5322) that comes in: its `text`, or a `file` that has it.

    In it `{message_id: SERIES/CONTACT/STEP}` stands for the Message-ID of that mail.
    """

    text: Annotated[str, StringConstraints(min_length=1)] | None = None
    file: Annotated[str, StringConstraints(min_length=1)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.text is None) == (self.file is None):
            raise bad_input("text", "allowed is either text or a file", "bad_call")
        return self


def read_by(
    door: Callable[[Work, ReadMailCall], Noted], name: str
) -> Callable[[Sandbox, Any], None]:
    """Return the action that notes what somebody does with a mail."""

    def perform(sandbox: Sandbox, value: Any) -> None:
        call = validated(ReadByCall, value, name).as_door
        sandbox.answer = sandbox.perform(lambda work: door(work, call)).model_dump(mode="json")

    return perform


def receive_mail(sandbox: Sandbox, value: Any) -> None:
    """Take in a raw mail, as `halo mail receive` does."""
    call = validated(ComingCall, value, "receive")
    # Latin-1 keeps a file's bytes as they are; names in them are UTF-8.
    text = call.text.encode() if call.text is not None else _bytes_of(sandbox, str(call.file))
    named = _NAMED_MAIL.sub(
        lambda found: _message_id(sandbox, found[1].encode("latin-1").decode(errors="replace")),
        text.decode("latin-1"),
    )
    answer = sandbox.engine.receive(named.encode("latin-1"))
    sandbox.answer = answer.model_dump(mode="json")


def _bytes_of(sandbox: Sandbox, file: str) -> bytes:
    try:
        return (sandbox.scenario.path.parent / file).read_bytes()
    except (OSError, ValueError) as error:
        said = (isinstance(error, OSError) and error.strerror) or error
        problem = f"{shown(file)} cannot be read; allowed is a file from the scenario's folder"
        raise bad_input("receive.file", f"{problem} ({said})") from None


def _message_id(sandbox: Sandbox, name: str) -> str:
    """Return the Message-ID of the latest mail of that name; a 404 if there is none."""
    series, _, rest = name.partition("/")
    contact, _, step = rest.rpartition("/")

    def find(work: Work) -> str | None:
        contacts = [*find_known(work, [contact]).values()]
        asked = _rehearsal_find_mail(work, series, contacts, step)
        found: str | None = work.connection.scalar(asked)
        return found

    message_id = sandbox.perform(find)
    if message_id is None:
        problem = f"there is no mail {shown(name)}; allowed is {_MAIL_FORM}"
        raise Refusal(404, "unknown_mail", f"receive.message_id: {problem}")
    return message_id


@statement("rehearsal_find_mail", step_key="welcome")
def _rehearsal_find_mail(
    work: Work, series_key: str, contact_ids: Sequence[UUID], step_key: str
) -> Select[Any]:
    mail = messages
    return (
        select(mail.c.message_id)
        .where(
            mail.c.org_id == work.org_id,
            mail.c.end_user_id.in_(contact_ids),
            automations.c.org_id == mail.c.org_id,
            automations.c.id == mail.c.automation_id,
            automations.c.key == series_key,
            automation_steps.c.org_id == mail.c.org_id,
            automation_steps.c.id == mail.c.step_id,
            automation_steps.c.key == step_key,
        )
        .order_by(mail.c.recipient_id.desc())
        .limit(1)
    )
