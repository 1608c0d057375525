"""A mail as a contact would get it, and a test of it (contract §9, §17).

The page of the mail stands in a sandboxed frame, under a policy of its own: whatever is in it runs
nothing, sends nothing, and loads pictures alone. A sample's links and pictures note nothing.
"""

from http import HTTPStatus
from typing import Any, Final

from halo_engine.domain.errors import Refusal
from halo_engine.domain.roles import Role

from ....messages.responses import Headers, Response
from ...forms import NO_FAULTS, Faults
from ...page import Page, PageAnswer, View, Visit, segment_of
from ..progress.series import read_series

_INPUTS: Final = ("contact", "to")
_HTML: Final = b"text/html; charset=utf-8"
_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src https: data:; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'self'; sandbox"
)
_HEADERS: Final[Headers] = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-robots-tag", b"noindex"),
)


def _show(visit: Visit) -> PageAnswer:
    """Ask for whom; with a contact, show the mail; with an address too, send it there."""
    one, step = read_series(visit), visit.path("step")
    given = {name: visit.form.get(name).strip() for name in _INPUTS}
    values: dict[str, Any] = {
        **one.values("/steps"),
        "step": step,
        "here": f"{one.path}/preview/{segment_of(step)}",
        "given": given,
        "mail": None,
        "sent": None,
        "faults": NO_FAULTS,
    }
    if not given["contact"]:
        return View("steps/preview.html", values)
    asked = {"series": one.key, "step": step, "contact": given["contact"]}
    try:
        values["mail"] = visit.call("series.render", **asked)
        if visit.form.get("do") == "test":
            values["sent"] = visit.call("series.send_test", **asked, to=given["to"])
    except Refusal as refusal:
        values["faults"] = Faults.of(refusal, _INPUTS)
        return View("steps/preview.html", values, HTTPStatus.BAD_REQUEST)
    return View("steps/preview.html", values)


def _page(visit: Visit) -> PageAnswer:
    """Answer the mail's page alone, for the frame."""
    contact = visit.form.get("contact").strip()
    series, step = visit.path("series"), visit.path("step")
    mail = visit.call("series.render", series=series, step=step, contact=contact)
    return Response(HTTPStatus.OK, mail.html.encode(), _HTML, _HEADERS)


PAGES: Final = (
    Page("GET", "/series/{series}/preview/{step}", _show, Role.EDITOR),
    Page("POST", "/series/{series}/preview/{step}", _show, Role.EDITOR),
    Page("POST", "/series/{series}/preview/{step}/page", _page, Role.EDITOR),
)
