"""A file in a form of the panel: kept as it comes, by the reader of the API (contract §12, §17)."""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from halo_engine.contacts.csv_import.uploads.receiving import LARGEST_FILE, UploadOptions
from halo_engine.domain.errors import Refusal

from ..endpoints.imports import Imports
from ..endpoints.operators import Operators
from ..messages.forms import FileForm, boundary_of
from ..messages.requests import Request, unsupported
from ..messages.responses import Problem
from ..routes import Caller
from .organizations import ORGANIZATION, require_own
from .page import Sent

_GIBIBYTE: Final = 1024**3
_TOO_LARGE: Final = f"is too large; allowed are {LARGEST_FILE // _GIBIBYTE} GiB"


@dataclass(frozen=True)
class Uploads:
    """Takes the files of the panel's forms."""

    operators: Operators

    async def take(self, request: Request, caller: Caller) -> Sent:
        """Keep the file of a form whose first part names the organisation.

        Raises a 409 if that is another one, a 415 for another body, and what befalls any request.
        """
        boundary = boundary_of(request.headers.get(b"content-type", b""))
        if boundary is None:
            raise unsupported("Content-Type", "multipart/form-data")
        form = FileForm(boundary, before=ORGANIZATION)

        def options() -> UploadOptions:
            require_own(caller, (form.text or b"").decode("utf-8", "replace"))
            return UploadOptions()

        try:
            kept = await Imports(self.operators).receive(request, caller, form, options)
        except Refusal as refusal:
            return Sent(None, problem=refusal.message.partition(": ")[2])
        except Problem as problem:
            if problem.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
                return Sent(None, problem=_TOO_LARGE)
            raise
        return Sent(kept, form.file_name)
