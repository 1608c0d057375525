"""The account of the embedded PostgreSQL when we are root; the server refuses to run as root.

Anybody who reaches the socket may connect, and other processes of the account can read the data. So
the server runs under a user number that has no name, no login and no other program; each project
has a number of its own.
"""

import hashlib
import os
import pwd
from pathlib import Path
from typing import Final

from .children import Account, StackError
from .folders import PROJECT

#: Numbers that systems keep for services without a name (systemd's DynamicUser).
_FIRST: Final = 61_184
_NUMBERS: Final = 4_336


def server_account() -> Account | None:
    """Return the account to run the server as: None (our own), or as root the project's."""
    if os.geteuid() != 0:
        return None
    digest = int(hashlib.sha256(str(PROJECT).encode()).hexdigest(), 16)
    for attempt in range(_NUMBERS):
        number = _FIRST + (digest + attempt) % _NUMBERS
        if not _has_name(number):
            return Account(number, number)
    raise StackError(
        f"every account from {_FIRST} to {_FIRST + _NUMBERS - 1} has a name: run as another user, "
        "or name a server in HALO_DATABASE_URL"
    )


def making_account() -> Account | None:
    """Return the account to run initdb as: it needs a name. ``give`` hands the data over
    afterwards.
    """
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise StackError(
            "as root the embedded PostgreSQL makes its data as the account 'nobody', which is "
            "missing here: run as another user, or name a server in HALO_DATABASE_URL"
        ) from None
    return Account(entry.pw_uid, entry.pw_gid)


def give(folder: Path, account: Account) -> None:
    """Make the account the owner of the folder and all in it; links are not followed."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, account.uid, account.gid, follow_symlinks=False)
    # The folder itself comes last: its owner marks that everything in it is done.
    os.chown(folder, account.uid, account.gid)


def _has_name(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True
