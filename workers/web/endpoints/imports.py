"""Files to import: received in a stream, and kept in pieces for the workers (§12)."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from halo_engine.contacts.csv_import.uploads import receiving
from halo_engine.contacts.csv_import.uploads.pieces import CHUNK
from halo_engine.contacts.csv_import.uploads.receiving import (
    StartCall,
    UploadedFile,
    UploadOptions,
    add_chunk,
    begin_upload,
    complete_upload,
    drop_upload,
)
from halo_engine.domain.errors import bad_input, validated
from halo_engine.domain.roles import Role
from halo_engine.doors.door import as_data
from halo_engine.doors.once import run_once
from halo_engine.doors.table import DOORS
from halo_engine.operators.origin import Origin, Via
from halo_engine.work import OrgRef, Work

from ..messages.fields import pairs
from ..messages.forms import OPTIONS, FileForm, boundary_of
from ..messages.json_bodies import read_json
from ..messages.requests import Request
from ..messages.responses import Problem, Response, answered
from ..routes import Caller, Route
from .operators import Operators, idempotency_key

UPLOADS: Final = "/api/imports"
_CSV: Final = b"text/csv"
RUN: Final = "halo.imports.run"


@dataclass(frozen=True, slots=True)
class Kept:
    """A file that has come: its id, how it is read, its SHA-256 in hex."""

    id: UUID
    options: UploadOptions
    sha256: str


@dataclass(frozen=True)
class Imports:
    """Takes files, with the database's part in threads."""

    operators: Operators

    def route(self) -> Route:
        """Return the route."""
        return Route("POST", UPLOADS, self.operators.proof(Role.EDITOR), self._take)

    async def _take(self, request: Request, caller: Caller) -> Response:
        """Keep a file in pieces, and start its import once it is complete."""
        given = request.headers.get(b"idempotency-key")
        key = None if given is None else idempotency_key(given)
        form = _form(request)

        def options() -> UploadOptions:
            return _options(request, form)

        kept = await self.receive(request, caller, form, options)
        assert caller.org is not None
        org: OrgRef = caller.org
        try:
            body = None if key is None else UploadedFile(sha256=kept.sha256, options=kept.options)
            started = await self._start(request, caller, org, kept.id, key, body)
        except Exception:
            await self.drop(org, kept.id)
            raise
        if started["id"] != str(kept.id):
            # The file came before, under the same key.
            await self.drop(org, kept.id)
        return answered(started, HTTPStatus.ACCEPTED)

    async def receive(
        self,
        request: Request,
        caller: Caller,
        form: FileForm | None,
        options: Callable[[], UploadOptions],
    ) -> Kept:
        """Keep a file in pieces as it comes, bare or in a form; it waits for its start then.

        ``options`` says how it is read; it is called when what comes before the file is known, and
        may refuse. What was broken off is deleted.
        """
        # A piece that is gathered, and one that is written.
        request.hold(2 * CHUNK)
        file = request.stream(receiving.LARGEST_FILE)
        if form is not None:
            file = form.file(file)
        # What comes before the file's first bytes is known with them.
        first = await anext(file, b"")
        how = options()
        assert caller.org is not None
        org: OrgRef = caller.org
        upload_id: UUID = await self._in_thread(org, partial(begin_upload, how=how))
        try:
            digest = await self._keep(org, upload_id, first, file)
            name = None if form is None else form.file_name
            come = partial(complete_upload, upload_id=upload_id, file_name=name)
            await self._in_thread(org, come)
        except Exception:
            await self.drop(org, upload_id)
            raise
        return Kept(upload_id, how, digest)

    async def _keep(
        self, org: OrgRef, upload_id: UUID, first: bytes, rest: AsyncIterator[bytes]
    ) -> str:
        """Write each piece as it comes, with one at most in memory; return the file's SHA-256."""
        piece, number, read = bytearray(first), 0, sha256(first)
        async for part in rest:
            read.update(part)
            piece += part
            while len(piece) >= CHUNK:
                whole = bytes(memoryview(piece)[:CHUNK])
                del piece[:CHUNK]
                keep = partial(add_chunk, upload_id=upload_id, number=number, data=whole)
                await self._in_thread(org, keep)
                number += 1
        if piece:
            keep = partial(add_chunk, upload_id=upload_id, number=number, data=bytes(piece))
            await self._in_thread(org, keep)
        return read.hexdigest()

    async def _start(
        self,
        request: Request,
        caller: Caller,
        org: OrgRef,
        upload_id: UUID,
        key: str | None,
        body: UploadedFile | None,
    ) -> Mapping[str, Any]:
        """Send the import to workers; if the message is lost, the tick sends it again."""
        origin = Origin(
            caller.key or "operator",
            Via.HTTP,
            address=request.address,
            request_id=request.request_id,
        )
        engine = self.operators.engine

        door, call = DOORS["imports.start"], StartCall(id=upload_id)

        def work() -> Mapping[str, Any]:
            if key is None:
                answer = door.run(engine, org, call, origin)
            else:
                answer = run_once(door, engine, org, call, origin, key, _no_rest, body)
            started: Mapping[str, Any] = as_data(answer)
            # Without a broker the tick finds the import.
            with suppress(Problem):
                self.operators.hand_over(RUN, org, {"id": started["id"]}, origin)
            return started

        return await self.operators.threads.run(work)

    async def drop(self, org: OrgRef, upload_id: UUID) -> None:
        """Delete a file that is not imported."""
        await self._in_thread(org, partial(drop_upload, upload_id=upload_id))

    async def _in_thread(self, org: OrgRef, action: Callable[[Work], Any]) -> Any:
        return await self.operators.threads.run(lambda: self.operators.engine.perform(org, action))


def _form(request: Request) -> FileForm | None:
    """Return the form that the file comes in, None for a bare file; raises a 415 for another
    type.
    """
    given = request.headers.get(b"content-type", b"")
    if given.partition(b";")[0].strip().lower() == _CSV:
        return None
    boundary = boundary_of(given)
    if boundary is None:
        problem = "Content-Type: is not taken here; allowed are text/csv and multipart/form-data"
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_type", problem)
    return FileForm(boundary)


def _options(request: Request, form: FileForm | None) -> UploadOptions:
    """Return how the file is read: ``options`` of the form or of the query, a JSON object."""
    queried = pairs(request.query)
    for name, _ in queried:
        if name != OPTIONS:
            problem = f"unknown key in the query; allowed is {OPTIONS}"
            raise bad_input(f"halo.imports.{name}", problem, "unknown_key")
    said = [read_json(text.encode(), OPTIONS) for _, text in queried]
    if form is not None:
        said += form.options
    if len(said) > 1:
        raise bad_input(OPTIONS, "comes twice; allowed is once", "duplicate_key")
    [how] = said or [{}]
    return validated(UploadOptions, how, f"halo.imports.{OPTIONS}")


def _no_rest(_rest: object) -> None:
    """Do nothing: the door needs one turn."""
