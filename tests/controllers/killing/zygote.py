"""`cosi run`, again and again, without its imports: a process that has done them, and forks.

Reads command lines (JSON) from its input; for each it prints the process id of that `cosi`, and how
it ended when it did. It is the parent of orphans too, and reaps them at once, as a good process 1.
"""

import importlib
import json
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from controllers.containers import syscalls
from controllers.containers.choose import why_not
from cosi.cli import main as main_program

IMPORTED = (
    "controllers.application",
    "controllers.machine.api",
    "cosi.api.server",
    "cosi.cli.log_format",
    "cosi.cli.run",
    "cosi.cli.running",
    "pyroute2",
)
"""What a life would load, part of it only when it comes to need it."""


def main() -> None:
    log = sys.argv[1]
    for module in IMPORTED:
        importlib.import_module(module)
    why_not("runc")  # once for all lives: it runs a container
    syscalls.set_child_subreaper(True)
    current = 0

    def reap(_: int, __: FrameType | None) -> None:
        with suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
                if ended[0] == current:
                    print(os.waitstatus_to_exitcode(ended[1]), flush=True)

    for line in sys.stdin:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        signal.signal(signal.SIGCHLD, reap)
        current = os.fork()
        if not current:
            run(json.loads(line), log)
        print(current, flush=True)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})


def run(arguments: list[str], log: str) -> None:
    """Be a `cosi`, and never return."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
    syscalls.set_child_subreaper(False)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for fd, file in ((0, os.open(os.devnull, os.O_RDONLY)), (1, output), (2, output)):
        os.dup2(file, fd)
    sys.argv = ["cosi", *arguments]
    code = 1
    try:
        main_program()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stdout.flush()
        os._exit(code)


if __name__ == "__main__":
    main()
