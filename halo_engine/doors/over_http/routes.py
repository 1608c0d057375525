"""The routes of doors: the documented ones, and the rule for all others (§12)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

Method = Literal["GET", "POST", "PUT", "DELETE"]


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path whose parameters, in braces, are fields of the call.

    GET and DELETE take the other fields from the query, POST and PUT from the body, a JSON object.
    If ``body`` names a field, the whole body is that field, and the others are in the query.
    ``names`` are the names in the query of fields that have another name there. Two doors may share
    a route: requests whose query has ``chosen_by`` are this one's.

    ``items`` is the answer's field that a page shows as ``items``. An answer that is a list, or
    has a whole one in ``items``, is shown page by page; ``cursor`` is the field of an item from
    which the next page goes on.
    """

    method: Method
    path: str
    body: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    chosen_by: str | None = None
    items: str | None = None
    cursor: str | None = None


_SERIES: Final = "/api/series/{series}"
#: Pages have a ``limit`` in the query; previews, which are more than a page, a ``size``.
_LIMIT: Final[Mapping[str, str]] = {"size": "limit"}

#: The documented routes, by door.
DOCUMENTED: Final[Mapping[str, Route]] = {
    "identify": Route("POST", "/api/sdk/users/identify"),
    "companies.identify": Route("POST", "/api/sdk/companies/identify"),
    "track": Route("POST", "/api/sdk/events"),
    "users.update": Route("POST", "/api/sdk/users/update"),
    "leads.capture": Route("POST", "/api/sdk/leads"),
    "series.list": Route("GET", "/api/series", cursor="series"),
    "series.show": Route("GET", _SERIES),
    "series.foresee": Route("GET", f"{_SERIES}/foresee"),
    "series.history": Route("GET", f"{_SERIES}/history"),
    "series.plan": Route("POST", f"{_SERIES}/plan", body="definition"),
    "series.save": Route("PUT", _SERIES, body="definition"),
    "series.delete": Route("DELETE", _SERIES),
    "series.check": Route("GET", f"{_SERIES}/preflight"),
    "series.preview": Route("GET", f"{_SERIES}/preview"),
    "series.diagnose": Route("GET", f"{_SERIES}/diagnose"),
    "series.ledger": Route("GET", f"{_SERIES}/ledger"),
    "series.bucket": Route(
        "GET", f"{_SERIES}/ledger", names=_LIMIT, chosen_by="code", items="contacts"
    ),
    "series.funnel": Route("GET", f"{_SERIES}/funnel"),
    "series.explain": Route("GET", f"{_SERIES}/explain"),
    "series.runs": Route("GET", f"{_SERIES}/contacts/{{contact}}/runs"),
    "series.remove": Route("POST", f"{_SERIES}/contacts/{{contact}}/remove"),
    "definitions.preview": Route("POST", "/api/preview", body="definition"),
    "definitions.diagnose": Route("POST", "/api/diagnose", body="definition"),
    "definitions.check": Route("POST", "/api/check", body="definition"),
    "series.recipients": Route("GET", f"{_SERIES}/recipients", names=_LIMIT),
    "contacts.list": Route(
        "GET", "/api/contacts", names={"search": "q", **_LIMIT}, items="contacts"
    ),
    "contacts.show": Route("GET", "/api/contacts/{contact}"),
    "contacts.timeline": Route("GET", "/api/contacts/{contact}/timeline", names=_LIMIT),
    "contacts.erase": Route("DELETE", "/api/contacts/{contact}"),
    "fields.list": Route("GET", "/api/fields"),
    "presets.list": Route("GET", "/api/presets", items="items", cursor="preset"),
    "lists.list": Route("GET", "/api/lists", items="items", cursor="list"),
    "lists.save": Route("PUT", "/api/lists/{list}"),
    "imports.list": Route("GET", "/api/imports"),
    "imports.show": Route("GET", "/api/imports/{id}"),
    "organizations.show": Route("GET", "/api/organization"),
    "organizations.change": Route("PUT", "/api/organization"),
    "organizations.status": Route("GET", "/api/status"),
    "keys.create": Route("POST", "/api/keys"),
    "keys.list": Route("GET", "/api/keys"),
    "keys.revoke": Route("DELETE", "/api/keys/{key}"),
    "audit.list": Route("GET", "/api/audit"),
    "webhooks.create": Route("POST", "/api/webhooks"),
    "webhooks.list": Route("GET", "/api/webhooks", cursor="id"),
    "webhooks.change": Route("PUT", "/api/webhooks/{endpoint}"),
    "webhooks.remove": Route("DELETE", "/api/webhooks/{endpoint}"),
    "webhooks.rotate_secret": Route("POST", "/api/webhooks/{endpoint}/rotate-secret"),
    "webhooks.replay": Route("POST", "/api/webhooks/{endpoint}/replay"),
    "webhooks.test": Route("POST", "/api/webhooks/{endpoint}/test"),
    "webhooks.deliveries": Route("GET", "/api/webhooks/{endpoint}/deliveries"),
}


def route_of(name: str, *, of_series: bool) -> Route:
    """Return the route of a door: the documented one, else that of the rule.

    ``a.b_c`` is ``POST /api/a/b-c``; of one series it is ``POST /api/series/{series}/b-c``.
    """
    if name in DOCUMENTED:
        return DOCUMENTED[name]
    path = name.replace(".", "/").replace("_", "-")
    return Route(
        "POST", f"/api/{path.replace('series/', 'series/{series}/') if of_series else path}"
    )
