"""The account that the embedded PostgreSQL has to itself, where we are root, which it refuses.

The server lets in whoever reaches its socket, and an account's processes can read its data. So it
runs under a number that nobody has: no login, no other program, and another one for each project.
"""

import hashlib
import os
import pwd
from pathlib import Path
from typing import Final

from workers.stack.children import Account, StackError
from workers.stack.folders import PROJECT

#: Numbers that systems keep for services without a name (systemd's DynamicUser).
_FIRST: Final = 61_184
_NUMBERS: Final = 4_336


def server_account() -> Account | None:
    """Whom the server runs as: ourselves (None), or as root an account of this project's."""
    if os.geteuid() != 0:
        return None
    digest = int(hashlib.sha256(str(PROJECT).encode()).hexdigest(), 16)
    for turn in range(_NUMBERS):
        number = _FIRST + (digest + turn) % _NUMBERS
        if not _has_name(number):
            return Account(number, number)
    raise StackError(
        f"every account from {_FIRST} to {_FIRST + _NUMBERS - 1} has a name: run as another user, "
        "or name a server in HALO_DATABASE_URL"
    )


def making_account() -> Account | None:
    """Whom data are made as: initdb wants an account with a name. They are given away at once."""
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
    """Make the folder and all that is in it the account's own, wherever its links lead."""
    for parent, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.chown(Path(parent) / name, account.uid, account.gid, follow_symlinks=False)
    # Last: until then a start that was interrupted begins anew.
    os.chown(folder, account.uid, account.gid)


def _has_name(number: int) -> bool:
    try:
        pwd.getpwuid(number)
    except KeyError:
        return False
    return True
