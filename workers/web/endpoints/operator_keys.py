"""Prove callers by operator keys: organisation, name and role (contract §12)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from halo_engine.domain.roles import Role, may
from halo_engine.operators.keys import KEYS_BEGIN
from halo_engine.operators.proof import Holder, Keyring
from halo_engine.work import OrgRef

from ..messages.requests import Request
from ..messages.responses import Problem
from ..routes import Caller, Proof
from ..threads import Threads
from .proofs import bearer

_WIDGET_KEYS: Final = "ab_live_"


@dataclass(frozen=True)
class OperatorKeys:
    """Proves callers by the keys of a keyring, which are read in a thread."""

    keyring: Keyring
    threads: Threads

    def proof(self, needed: Role) -> Proof:
        """Return the proof that a caller has at least the role ``needed``.

        It raises a 401 for a missing or unknown key, and a 403 for a key of another kind or role.
        """

        async def prove(request: Request) -> Caller:
            key = bearer(request)
            if key.startswith(_WIDGET_KEYS):
                raise _forbidden("wrong_key", "the widget key; allowed is an operator key")
            holder = await self._holder(key)
            if not may(holder.role, needed):
                said = f"a key of role {holder.role}; allowed is {needed}"
                raise _forbidden("forbidden", f"{said}, or a role that may more")
            return _caller(holder)

        return prove

    async def application(self, request: Request) -> Caller:
        """Return the organisation of the widget key that a request bears, or of an ingest key,
        which proves the caller besides.

        It raises a 401 for a missing key and an unknown ingest key, and a 403 for an operator's.
        """
        return await self.application_of(bearer(request))

    async def application_of(self, key: str) -> Caller:
        """Return the same for a key, wherever the request has it."""
        if not key.startswith(KEYS_BEGIN):
            return Caller(OrgRef(widget_key=key))
        holder = await self._holder(key)
        if holder.role is not Role.INGEST:
            said = f"a key of role {holder.role}; allowed is {Role.INGEST}, or the widget key"
            raise _forbidden("wrong_key", said)
        return _caller(holder)

    async def _holder(self, key: str) -> Holder:
        known = self.keyring.remembered(key)
        return known if known else await self.threads.run(lambda: self.keyring.holder(key))


def _caller(holder: Holder) -> Caller:
    return Caller(OrgRef(id=holder.org_id), holder.name, holder.key_id)


def _forbidden(code: str, problem: str) -> Problem:
    return Problem(HTTPStatus.FORBIDDEN, code, f"Authorization: is {problem}.")
