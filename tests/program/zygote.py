"""A process that has imported the program, and becomes one by a fork each time it is asked to.

A start of `cosi` is half a second of imports, and the suite has fifty. Each message on the socket
is a start (JSON, and the three standard files); the answers are who it is and, later, how it ended.
It is the parent of orphans too, and reaps them at once, as a good process 1.
"""

from __future__ import annotations

import array
import gc
import importlib
import json
import os
import signal
import socket
import sys
from types import FrameType
from typing import NamedTuple

from controllers.drivers.choose import RUNTIMES, why_not
from controllers.processes import syscalls
from cosi.cli import main as main_program

IMPORTED = (
    "controllers.application",
    "controllers.commands.services",
    "controllers.machine_api.api",
    "cosi.api.client",
    "cosi.api.server",
    "cosi.cli.get",
    "cosi.cli.log_format",
    "cosi.cli.run",
    "cosi.cli._run_applications",
    "pyroute2",
)
"""What a life would load, part of it only when it comes to need it."""
LONGEST = 128 * 1024


class Start(NamedTuple):
    """What is asked for; the files are those of the message."""

    arguments: list[str]
    environment: dict[str, str]
    directory: str


def main() -> None:
    """Serve the socket that is file ``argv[1]``, until its other end is closed."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    for module in IMPORTED:
        importlib.import_module(module)
    for runtime in RUNTIMES:
        why_not(runtime)  # once for all lives: it runs a container
    gc.freeze()
    syscalls.set_child_subreaper(True)
    ours: set[int] = set()

    def reap(_: int, __: FrameType | None) -> None:
        while ended := _ended_child():
            pid, code = ended
            if pid in ours:
                ours.discard(pid)
                asked.send(json.dumps({"pid": pid, "code": code}).encode())

    while message := _receive(asked):
        start, files = message
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        signal.signal(signal.SIGCHLD, reap)
        pid = os.fork()
        if not pid:
            asked.close()
            _become(start, files)
        ours.add(pid)
        asked.send(json.dumps({"pid": pid, "code": None}).encode())
        for file in files:
            os.close(file)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def _ended_child() -> tuple[int, int] | None:
    try:
        pid, status = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return None
    return (pid, os.waitstatus_to_exitcode(status)) if pid else None


def _receive(asked: socket.socket) -> tuple[Start, list[int]] | None:
    data, ancillary, _, _ = asked.recvmsg(LONGEST, socket.CMSG_SPACE(3 * array.array("i").itemsize))
    files = array.array("i")
    for _, _, sent in ancillary:
        files.frombytes(sent)
    return (Start(*json.loads(data)), list(files)) if data else None


def _become(start: Start, files: list[int]) -> None:
    """Be a `cosi`, and never return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    syscalls.set_child_subreaper(False)
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    os.chdir(start.directory)
    os.environ.clear()
    os.environ.update(start.environment)
    sys.argv = ["cosi", *start.arguments]
    code = 1
    try:
        main_program()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        try:
            sys.stdout.flush()
        finally:
            os._exit(code)


if __name__ == "__main__":
    main()
