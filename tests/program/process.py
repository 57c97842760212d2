"""A running `cosi`, much like a `subprocess.Popen`, started by the zygote of this test run."""

from __future__ import annotations

import array
import atexit
import functools
import json
import os
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Self, TextIO

ROOT = Path(__file__).parents[2]


class Zygote:
    """The process that forks; how what it has started ended is told in the order of the ends."""

    def __init__(self) -> None:
        self._asking, asked = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = (sys.executable, "-m", "tests.program.zygote", str(asked.fileno()))
        with asked:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, pass_fds=(asked.fileno(),), cwd=ROOT
            )
        self._codes: dict[int, int] = {}

    @classmethod
    @functools.cache
    def of_this_run(cls) -> Self:
        """One for all tests of a worker; it ends with it."""
        zygote = cls()
        atexit.register(zygote.close)
        return zygote

    def close(self) -> None:
        """Let it end."""
        self._asking.close()
        self._process.wait()

    def start(
        self, arguments: tuple[str, ...], environment: dict[str, str], files: tuple[int, int, int]
    ) -> int:
        """Start a `cosi` with these standard files; its process id."""
        message = json.dumps((arguments, environment, str(ROOT))).encode()
        rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", files))
        self._asking.sendmsg((message,), (rights,))
        while (started := self._next())[1] is not None:
            pass
        return started[0]

    def code(self, pid: int) -> int:
        """Wait for its end; how it ended, as `Popen.returncode` has it."""
        while pid not in self._codes:
            self._next()
        return self._codes[pid]

    def _next(self) -> tuple[int, int | None]:
        answer = json.loads(self._asking.recv(1024))
        pid, code = answer["pid"], answer["code"]
        if code is None:
            self._codes.pop(pid, None)  # of another one that had this id
        else:
            self._codes[pid] = code
        return pid, code


class Program:
    """`cosi ARGUMENTS`, with pipes for what it reads and writes, or with ``output`` for both."""

    def __init__(
        self,
        *arguments: str,
        environment: dict[str, str] | None = None,
        output: IO[bytes] | None = None,
        joined: bool = False,
    ) -> None:
        """``joined``: its errors go where its output goes."""
        self._zygote = Zygote.of_this_run()
        self.returncode: int | None = None
        read, self.stdin = _pipe_to()
        self.stdout, written = (None, os.dup(output.fileno())) if output else _pipe_from()
        self.stderr, errors = (None, os.dup(written)) if output or joined else _pipe_from()
        files = (read, written, errors)
        self.pid = self._zygote.start(arguments, environment or dict(os.environ), files)
        for file in files:
            os.close(file)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.wait()
        for file in (self.stdin, self.stdout, self.stderr):
            if file:
                file.close()

    def send_signal(self, number: int) -> None:
        """As long as nobody has waited for its end."""
        if self.returncode is None:
            os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for its end; how it ended."""
        if self.returncode is None:
            self.returncode = self._zygote.code(self.pid)
        return self.returncode

    def communicate(self, input: str = "") -> tuple[str, str]:
        """Give it its input, and wait for its end; what it has said."""
        with self, ThreadPoolExecutor(1) as thread:
            errors = thread.submit(self.stderr.read) if self.stderr else None
            with suppress(BrokenPipeError):
                self.stdin.write(input)
                self.stdin.close()
            said = self.stdout.read() if self.stdout else ""
            return said, errors.result() if errors else ""


def _pipe_to() -> tuple[int, TextIO]:
    read, write = os.pipe()
    return read, os.fdopen(write, "w")


def _pipe_from() -> tuple[TextIO, int]:
    read, write = os.pipe()
    return os.fdopen(read, encoding="utf-8", errors="replace"), write
