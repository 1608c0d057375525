"""Folders for the embedded servers' sockets: sockets need no port and clash with no other run."""

import os
import re
import tempfile
from pathlib import Path

from .children import Account

#: The system's limit is 107 bytes, or 103; the longest name is PostgreSQL's lock beside its socket.
_LONGEST = 103 - len("/.s.PGSQL.5432.lock")


def socket_folder(folder: Path, account: Account | None = None) -> Path:
    """A private folder for sockets in `folder`; a temporary one if that path is unsuitable.

    A socket's path must be short, and free of the characters that separate and quote in URLs and
    in lists of hosts. The folder belongs to `account` when one is given.
    """
    name = "sockets" if account is None else "server-sockets"
    sockets = folder / name
    if len(os.fsencode(sockets)) > _LONGEST or not re.fullmatch(r"[\w./+-]+", str(sockets), re.A):
        sockets = Path(tempfile.mkdtemp(prefix="halo-"))
    sockets.mkdir(mode=0o700, exist_ok=True)
    if account:
        os.chown(sockets, account.uid, account.gid)
    return sockets
