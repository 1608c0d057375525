"""Endpoints: create, change, list and remove them (contract §14)."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from uuid import UUID

from sqlalchemy import (
    Delete,
    Executable,
    RowMapping,
    Select,
    Update,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import array

from halo_engine.domain.errors import conflict, not_found
from halo_engine.domain.series.happenings import Happening
from halo_engine.organizations.settings import HIDDEN
from halo_engine.series.lifecycle import find_series
from halo_engine.sql.statements import statement
from halo_engine.tables import automations, organizations, webhook_endpoints
from halo_engine.webhook_secrets import new_webhook_secret
from halo_engine.webhooks.endpoint_calls import (
    ChangeEndpointCall,
    CreatedEndpoint,
    CreateEndpointCall,
    EndpointAnswer,
    EndpointCall,
)
from halo_engine.webhooks.endpoint_urls import check_url
from halo_engine.webhooks.posting import CallRules
from halo_engine.work import Work

#: How many endpoints an organisation may have.
MOST: Final = 20
#: How long the old secret signs too after a new one was made.
OLD_SECRET_FOR: Final = timedelta(days=1)


def create_endpoint(work: Work, call: CreateEndpointCall, rules: CallRules) -> CreatedEndpoint:
    """Create an endpoint with a new secret; what happens from now on is sent to it.

    Raises 400 for a URL that may not be called, 404 for an unknown series, 409 for too many.
    """
    check_url(call.url, rules)
    _hold_organization(work)
    if work.connection.scalar(_count_endpoints(work)) >= MOST:
        problem = f"There are {MOST} endpoints already; remove one first."
        raise conflict("too_many_endpoints", problem)
    secret = new_webhook_secret()
    values = {
        "url": call.url,
        "kinds": call.kinds,
        "series_ids": _ids(work, call.series),
        "with_traits": call.with_traits,
        "secret": secret,
    }
    endpoint_id = work.connection.execute(_create_endpoint(work, values)).scalar_one()
    _note_kinds(work)
    return _with_secret(find_endpoint(work, endpoint_id), secret)


@statement("create_endpoint", values={"url": "https://hooks.example/halo"})
def _create_endpoint(work: Work, values: Mapping[str, Any]) -> Executable:
    row = {"org_id": work.org_id, "created_at": work.now, **values}
    return insert(webhook_endpoints).values(row).returning(webhook_endpoints.c.id)


def change_endpoint(work: Work, call: ChangeEndpointCall, rules: CallRules) -> EndpointAnswer:
    """Change what is given; raises 404 for an unknown endpoint or series, 400 for a bad URL."""
    given = call.model_fields_set
    values: dict[str, Any] = {}
    if call.url is not None:
        check_url(call.url, rules)
        values |= {"url": call.url, **_RESET}
    if "kinds" in given:
        values["kinds"] = call.kinds
    if "series" in given:
        values["series_ids"] = _ids(work, call.series)
    if call.with_traits is not None:
        values["with_traits"] = call.with_traits
    found = find_endpoint(work, call.endpoint)
    if call.off is not None and call.off != (found.off_since is not None):
        off = {"off_since": work.now, "off_reason": "operator"}
        values |= off if call.off else {**dict.fromkeys(off), **_RESET}
    if values:
        _hold_organization(work)
        work.connection.execute(change_row(work, call.endpoint, values))
        _note_kinds(work)
    return find_endpoint(work, call.endpoint)


#: What is reset when an endpoint starts anew.
_RESET: Final[Mapping[str, Any]] = {
    "failing_since": None,
    "failures": 0,
    "resting_until": None,
    "problem": None,
}


@statement("change_endpoint", values={"with_traits": True})
def change_row(work: Work, endpoint_id: UUID, values: Mapping[str, Any]) -> Update:
    """Build the statement that changes an endpoint's row."""
    table = webhook_endpoints
    is_it = (table.c.org_id == work.org_id, table.c.id == endpoint_id)
    return update(table).where(*is_it).values(**values)


def rotate_secret(work: Work, call: EndpointCall) -> CreatedEndpoint:
    """Make a new secret; for a day the old one signs too. Raises 404 for an unknown endpoint."""
    secret = new_webhook_secret()
    values = {
        "secret": secret,
        "old_secret": webhook_endpoints.c.secret,
        "old_secret_until": work.now + OLD_SECRET_FOR,
    }
    found = find_endpoint(work, call.endpoint)
    work.connection.execute(change_row(work, call.endpoint, values))
    return _with_secret(found, secret)


def remove_endpoint(work: Work, call: EndpointCall) -> EndpointAnswer:
    """Remove an endpoint, and what waits for it; raises 404 for an unknown one."""
    found = find_endpoint(work, call.endpoint)
    _hold_organization(work)
    work.connection.execute(_remove_endpoint(work, call.endpoint))
    _note_kinds(work)
    return found


@statement("remove_endpoint")
def _remove_endpoint(work: Work, endpoint_id: UUID) -> Delete:
    table = webhook_endpoints
    return delete(table).where(table.c.org_id == work.org_id, table.c.id == endpoint_id)


def list_endpoints(work: Work) -> list[EndpointAnswer]:
    """Return the organisation's endpoints, the oldest first."""
    rows = work.connection.execute(_read_endpoints(work)).mappings().all()
    names = _keys(work, [id_ for row in rows for id_ in row["series_ids"] or ()])
    return [_answer(row, names) for row in rows]


def find_endpoint(work: Work, endpoint_id: UUID) -> EndpointAnswer:
    """Return an endpoint; raises 404 for an unknown one."""
    for each in list_endpoints(work):
        if each.id == endpoint_id:
            return each
    raise not_found("endpoint", str(endpoint_id))


def secret_of(work: Work, endpoint_id: UUID) -> str | None:
    """Return the secret of an endpoint, for the audit log to compare."""
    secret: str | None = work.connection.scalar(_read_secret(work, endpoint_id))
    return secret


@statement("read_endpoint_secret")
def _read_secret(work: Work, endpoint_id: UUID) -> Select[Any]:
    table = webhook_endpoints
    return select(table.c.secret).where(table.c.org_id == work.org_id, table.c.id == endpoint_id)


@statement("read_endpoints")
def _read_endpoints(work: Work) -> Select[Any]:
    table = webhook_endpoints
    return select(table).where(table.c.org_id == work.org_id).order_by(table.c.id)


@statement("count_endpoints")
def _count_endpoints(work: Work) -> Select[Any]:
    return select(func.count()).where(webhook_endpoints.c.org_id == work.org_id)


@statement("read_keys_of_series")
def _read_keys(work: Work, series_ids: Sequence[UUID]) -> Select[Any]:
    table = automations
    return select(table.c.id, table.c.key).where(
        table.c.org_id == work.org_id, table.c.id.in_(series_ids)
    )


def _keys(work: Work, series_ids: Sequence[UUID]) -> Mapping[UUID, str]:
    if not series_ids:
        return {}
    return {row.id: row.key for row in work.connection.execute(_read_keys(work, series_ids))}


def _ids(work: Work, keys: Sequence[str] | None) -> list[UUID] | None:
    return None if keys is None else [find_series(work, key).id for key in keys]


def _answer(row: RowMapping, keys: Mapping[UUID, str]) -> EndpointAnswer:
    series = row["series_ids"]
    shown = {name: row[name] for name in EndpointAnswer.model_fields if name in row}
    named = None if series is None else tuple(keys[id_] for id_ in series if id_ in keys)
    return EndpointAnswer.model_validate({**shown, "series": named, "secret": HIDDEN})


def _with_secret(found: EndpointAnswer, secret: str) -> CreatedEndpoint:
    return CreatedEndpoint.model_validate({**dict(found), "secret": secret})


def _hold_organization(work: Work) -> None:
    """Lock the organisation's row, so that changes of two endpoints at once both count."""
    work.connection.execute(_hold_for_endpoints(work))


@statement("hold_org_for_endpoints")
def _hold_for_endpoints(work: Work) -> Select[Any]:
    held = select(organizations.c.id).where(organizations.c.id == work.org_id)
    return held.with_for_update(key_share=True)


def _note_kinds(work: Work) -> None:
    """Store with the organisation which kinds its endpoints ask for: only these are written."""
    work.connection.execute(_noting_kinds(work))


@statement("note_endpoint_kinds")
def _noting_kinds(work: Work) -> Update:
    every = array([literal(kind.value) for kind in Happening])
    table = webhook_endpoints
    each = (
        select(func.unnest(func.coalesce(table.c.kinds, every)).label("kind"))
        .where(table.c.org_id == work.org_id)
        .distinct()
        .subquery("each")
    )
    asked = func.array(select(each.c.kind).order_by(each.c.kind).scalar_subquery())
    return (
        update(organizations).where(organizations.c.id == work.org_id).values(webhook_kinds=asked)
    )
