"""Calls of the demo over HTTP: as an application by the widget key, as an operator by its key."""

import http.client
import json
import re
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote, urlsplit

from halo_engine.domain.roles import Role
from halo_engine.doors.table import DOORS

from .sample import WIDGET_KEY

_TIMEOUT_SECONDS: Final = 10.0


@dataclass
class Site:
    """A running web process, called on one connection."""

    url: str
    operator_key: str = field(repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        self._connection = http.client.HTTPConnection(
            str(parts.hostname), parts.port, timeout=_TIMEOUT_SECONDS
        )

    def call(self, name: str, fields: dict[str, Any]) -> Any:
        """Call the route of a door; return its answer, or a refusal as a task answers it."""
        door = DOORS[name]
        assert door.route is not None, name
        body = dict(fields)
        path = re.sub(r"{(\w+)}", lambda found: quote(body.pop(found[1]), safe=""), door.route.path)
        key = WIDGET_KEY if door.role is Role.INGEST else self.operator_key
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection.request(door.route.method, path, json.dumps(body), headers)
        response = self._connection.getresponse()
        answer = json.loads(response.read())
        if response.status >= HTTPStatus.BAD_REQUEST:
            return {"refused": {**answer, "message": answer["detail"]}}
        return answer
