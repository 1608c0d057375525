"""Runs `halo` for the pages' snippets: loaded once, forked for each command.

``python -m tests.pages.halo_server SOCKET SHIM`` writes SHIM, a `halo` that hands its arguments,
environment and standard streams to this process over the socket, and ends as the command ends;
SIGTERM is handed on too.
"""

import json
import os
import signal
import socket
import sys
from importlib import import_module
from pathlib import Path

import click

from workers.command.main import main

_SHIM = """#!{python} -IS
import json, os, signal, socket, sys
server = socket.socket(socket.AF_UNIX)
server.connect({address!r})
call = json.dumps([sys.argv[1:], os.getcwd(), dict(os.environ)]).encode()
socket.send_fds(server, [len(call).to_bytes(4, "big")], [0, 1, 2])
server.sendall(call)
command = int.from_bytes(server.recv(4), "big")
signal.signal(signal.SIGTERM, lambda *_: os.kill(command, signal.SIGTERM))
sys.exit(server.recv(1)[0])
"""


def serve(address: str, shim: Path) -> None:
    """Answer calls of the shim until this process is ended."""
    _load(main)
    import_module("workers.command.installation")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(address)
        listening.listen()
        shim.write_text(_SHIM.format(python=sys.executable, address=address))
        shim.chmod(0o755)
        # Nobody waits for the commands' processes.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            caller, _ = listening.accept()
            with caller:
                if os.fork() == 0:
                    listening.close()
                    _perform(caller)


def _load(command: click.Command | None) -> None:
    """Import the code of every command, which is imported late."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            _load(command.get_command(context, name))


def _perform(caller: socket.socket) -> None:
    """Be the command that the caller asks for, and end."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    size, streams, _, _ = socket.recv_fds(caller, 4, 3)
    call = caller.recv(int.from_bytes(size, "big"), socket.MSG_WAITALL)
    arguments, folder, environment = json.loads(call)
    caller.send(os.getpid().to_bytes(4, "big"))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    status = 1
    try:
        main(arguments, prog_name="halo")
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0 if ended.code is None else 1
    finally:
        sys.stdout.flush()
        caller.send(bytes([status]))
        os._exit(status)


if __name__ == "__main__":
    serve(sys.argv[1], Path(sys.argv[2]))
