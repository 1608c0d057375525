"""The file of an upload, read piece by piece from the database (contract §12)."""

import io
from functools import partial
from typing import Any, Final, TextIO, cast
from uuid import UUID

from sqlalchemy.engine import RowMapping

from halo_engine.contacts.csv_import.text import as_text
from halo_engine.contacts.csv_import.uploads import rows
from halo_engine.domain.errors import not_found
from halo_engine.work import Transact, Work

#: In bytes. All pieces of a file but the last are of this size.
CHUNK: Final = 1024 * 1024


class Pieces(io.RawIOBase):
    """The bytes of an uploaded file, read piece by piece; one piece is in memory."""

    def __init__(self, transact: Transact, upload_id: UUID, size: int) -> None:
        super().__init__()
        self._transact = transact
        self._upload_id = upload_id
        self._size = size
        self._position = 0
        self._number = -1
        self._piece = b""

    def readable(self) -> bool:
        """Say yes."""
        return True

    def seekable(self) -> bool:
        """Say yes."""
        return True

    def tell(self) -> int:
        """Return how many bytes have been read."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a byte."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read up to the end of a piece."""
        number, begins = divmod(self._position, CHUNK)
        if self._position >= self._size:
            return 0
        if number != self._number:
            self._piece = self._transact(partial(_piece, upload_id=self._upload_id, number=number))
            self._number = number
        part = self._piece[begins : begins + len(buffer)]
        buffer[: len(part)] = part
        self._position += len(part)
        return len(part)

    def text(self, encoding: str | None) -> io.TextIOWrapper:
        """Return the same as text: in ``encoding``, else as its mark says, else as UTF-8."""
        return cast("io.TextIOWrapper", as_text(io.BufferedReader(self), encoding))


def pieces_of(transact: Transact, found: RowMapping) -> Pieces:
    """Return the bytes of the file whose row was found."""
    return Pieces(transact, found["id"], found["bytes"])


def text_of(transact: Transact, found: RowMapping, encoding: str | None) -> TextIO:
    """Return the text of the file whose row was found."""
    return pieces_of(transact, found).text(encoding)


def _piece(work: Work, upload_id: UUID, number: int) -> bytes:
    found = rows.read_piece(work, upload_id, number)
    piece: bytes = work.connection.execute(found).scalar_one()
    return piece


def row_of(work: Work, upload_id: UUID) -> RowMapping:
    """Return the row of an upload; raises 404 for an unknown one."""
    found = rows.read(work, upload_id)
    row = work.connection.execute(found).mappings().one_or_none()
    if row is None:
        raise not_found("import", str(upload_id))
    return row
