"""`cosi run` with a limit of open files, in a process of its own; its log goes to memory."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

COSI = Path(sys.executable).with_name("cosi")
PATIENCE_SECONDS = 60.0


class Log:
    """What a process writes, taken from it by a thread as fast as it comes."""

    KEPT = 2_000

    def __init__(self, written: IO[str]) -> None:
        self._written = written
        self._more = threading.Condition()
        self._ended = False
        self.size = 0
        self.lines: list[str] = []
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._written:
            with self._more:
                self.size += len(line)
                if len(self.lines) < self.KEPT:
                    self.lines.append(line)
                self._more.notify_all()
        with self._more:
            self._ended = True
            self._more.notify_all()

    def until(self, text: str) -> str:
        """Wait for a line that has ``text``, and return it."""
        with self._more:
            self._more.wait_for(lambda: self._ended or self._having(text), PATIENCE_SECONDS)
            found = self._having(text)
        assert found, f"no line has {text!r}:\n" + "".join(self.lines)
        return found[0]

    def _having(self, text: str) -> list[str]:
        return [line for line in self.lines if text in line]

    def join(self) -> None:
        """Wait for its end."""
        self._thread.join()


def limited(files: int | str, *arguments: str) -> tuple[str, ...]:
    """The command `cosi ARGUMENTS` with a limit as `ulimit` takes it, ``64`` or ``-S 64``."""
    return ("sh", "-c", f'ulimit -n {files} && exec "$0" "$@"', str(COSI), *arguments)


@contextmanager
def running(files: int | str, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], Log]]:
    """`cosi run ARGUMENTS` with this limit; stopped in order at the end."""
    command = limited(files, "run", *arguments)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, errors="replace") as process:
        assert process.stderr is not None
        log = Log(process.stderr)
        try:
            yield process, log
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(PATIENCE_SECONDS)
            finally:
                process.kill()
                log.join()
        assert code == 0, "".join(log.lines)


def open_files(pid: int) -> int:
    """How many a process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
