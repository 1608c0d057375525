"""What the OpenAPI document says of the hooks: no key opens them, a signature does (§12)."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from halo_engine.cli.schemas.json_schema import schemas_of
from halo_engine.doors.over_http.hooks import MAIL, STRIPE, Hook

_HOOKS: Final = (STRIPE, MAIL)


def hook_operations(
    ref: str, refusals: Mapping[str, Any]
) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the paths of the hooks, and the schemas that these refer to; ``ref`` is where."""
    sent = {hook.name: hook.sent for hook in _HOOKS}
    answers = {hook.name: hook.answer for hook in _HOOKS}
    taken, answered, schemas = schemas_of(sent, answers, f"{ref}{{model}}")
    paths = {
        hook.path: {"post": _operation(hook, taken[hook.name], answered[hook.name], refusals)}
        for hook in _HOOKS
    }
    return paths, schemas


def _operation(
    hook: Hook, taken: Any, answered: Any, refusals: Mapping[str, Any]
) -> dict[str, Any]:
    done = {"description": "Taken.", "content": {"application/json": {"schema": answered}}}
    return {
        "operationId": hook.name,
        "summary": hook.summary,
        "description": f"A webhook, proven by its signature. It goes to `halo.{hook.door}`.",
        "tags": ["hooks"],
        "security": [],
        "parameters": list(_parameters(hook)),
        "requestBody": {"required": True, "content": {"application/json": {"schema": taken}}},
        "responses": {"200": done, **refusals},
    }


def _parameters(hook: Hook) -> Iterator[Mapping[str, Any]]:
    text = {"type": "string", "minLength": 1}
    if "{org}" in hook.path:
        yield {"name": "org", "in": "path", "required": True, "schema": text}
    for name in hook.headers:
        yield {"name": name, "in": "header", "required": True, "schema": text}
