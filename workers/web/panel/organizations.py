"""Whose page a form stands on: a form of one organisation changes nothing in another (§17).

All tabs of a browser share one session. Whoever signs in to another organisation in a second tab
still has the first one's pages open; so each form names its organisation, and is refused if the
session is another's by then.
"""

import re
from http import HTTPStatus
from typing import Final

from ..messages.responses import Problem
from ..routes import Caller
from .page import Person

#: The field of each form that names the organisation, by its id.
ORGANIZATION: Final = "organization"
_FORM: Final = re.compile(r'<form\b[^>]*\bmethod="post"[^>]*>')


def named_in_forms(caller: Caller, html: str) -> str:
    """Return a page with its organisation named in each form that changes something.

    It is done here for all templates, so that none can forget it; `<form` is always ours, as
    whatever a customer wrote is escaped.
    """
    if not isinstance(caller, Person):
        return html
    field = f'<input type="hidden" name="{ORGANIZATION}" value="{_id_of(caller)}">'
    return _FORM.sub(lambda found: f"{found[0]}\n{field}", html)


def require_own(caller: Caller, named: str) -> None:
    """Refuse a form that a page of another organisation holds, or none of ours."""
    if isinstance(caller, Person) and named != _id_of(caller):
        assert caller.session is not None
        now = caller.session.organization
        said = (
            f"This browser is signed in to {now} now, and the page that you came from is another "
            "organisation's. Nothing was changed. Go back, sign in there again in another tab, and "
            "send it once more."
        )
        raise Problem(HTTPStatus.CONFLICT, "other_organization", said)


def _id_of(person: Person) -> str:
    assert person.session is not None
    return str(person.session.holder.org_id)
