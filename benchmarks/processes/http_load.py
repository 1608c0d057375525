"""Load over HTTP: `wrk` where it is installed, else a client of our own in a process of its own.

Half of the users are new, half are known and change; calls go round the organisations.
"""

import asyncio
import json
import multiprocessing
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

PATH: Final = "/api/sdk/users/identify"
KNOWN: Final = 20_000
_TURNS: Final = count(1)

_SCRIPT: Final = """
local keys, turn, n = {%(keys)s}, %(turn)d, 0
function request()
  n = n + 1
  local user = n %% 2 == 0 and string.format("new-%%d-%%d", turn, n) or "u" .. (1 + n %% %(known)d)
  local body = string.format('{"user_id":"%%s","traits":{"email":"%%s@acme.example",'
    .. '"name":"Known as %%d","plan":"plan %%d","score":%%d}}', user, user, turn, n, n)
  local headers = {["Content-Type"] = "application/json"}
  headers["Authorization"] = "Bearer " .. keys[1 + n %% #keys]
  return wrk.format("POST", "%(path)s", headers, body)
end
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What a run did: answers a second, and the seconds that calls took where that was asked."""

    per_second: float
    seconds: Sequence[float] = ()


def saturate(url: str, keys: Sequence[str], *, connections: int, seconds: int) -> Load:
    """Call as fast as the server answers; raise where an answer is not 200."""
    if shutil.which("wrk") is None:
        return paced(url, keys, connections=connections, seconds=seconds, per_second=None)
    named = ", ".join(f'"{key}"' for key in keys)
    values = {"keys": named, "turn": next(_TURNS), "known": KNOWN, "path": PATH}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT % values)
        script.flush()
        command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "-s", script.name, url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return Load(float(found[1]))


def paced(
    url: str, keys: Sequence[str], *, connections: int, seconds: int, per_second: float | None
) -> Load:
    """Call at a steady rate, however long the answers take; None calls as fast as they come."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    order = (url, tuple(keys), next(_TURNS), connections, seconds, per_second)
    process = context.Process(target=_caller, args=(theirs, order), daemon=True)
    process.start()
    began, ended, taken = ours.recv()
    process.join()
    return Load(len(taken) / (ended - began), taken)


def _caller(pipe: "Connection[Any, Any]", order: tuple[Any, ...]) -> None:
    pipe.send(asyncio.run(_call(*order)))


async def _call(
    url: str,
    keys: Sequence[str],
    turn: int,
    connections: int,
    seconds: int,
    per_second: float | None,
) -> tuple[float, float, list[float]]:
    parts = urlsplit(url)
    numbers = count(1)
    taken: list[float] = []
    began = time.perf_counter()
    ends = began + seconds

    async def one() -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        while True:
            number = next(numbers)
            due = time.perf_counter() if per_second is None else began + number / per_second
            if due > ends:
                break
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            writer.write(_request(keys[number % len(keys)], turn, number))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 "), head
            length = re.search(rb"content-length: (\d+)", head)
            assert length is not None
            await reader.readexactly(int(length[1]))
            taken.append(time.perf_counter() - due)
        writer.close()

    await asyncio.gather(*[one() for _ in range(connections)])
    return began, time.perf_counter(), taken


def _request(key: str, turn: int, number: int) -> bytes:
    user = f"new-{turn}-{number}" if number % 2 == 0 else f"u{1 + number % KNOWN}"
    traits = {
        "email": f"{user}@acme.example",
        "name": f"Known as {turn}",
        "plan": f"plan {number}",
        "score": number,
    }
    body = json.dumps({"user_id": user, "traits": traits}).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
        f"Authorization: Bearer {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def resident_bytes(pid: int) -> int:
    """Return the resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024
