"""The real `cosi` program: its commands, and `cosi run` in the background."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.program.process import ROOT, Program

__all__ = ["ROOT", "Machine"]


@dataclass
class Machine:
    """`cosi run` below ``root``; what it logs is kept."""

    root: Path
    log: list[str] = field(default_factory=list[str])
    process: Program | None = None

    @property
    def socket(self) -> Path:
        return self.root / "run/cosi/cosi.sock"

    def cosi(self, *arguments: str, input: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        program = self.begin(*arguments)
        out, err = program.communicate(input)
        return subprocess.CompletedProcess(arguments, program.wait(), out, err)

    def begin(self, *arguments: str, **environment: str) -> Program:
        """Start a command that goes on."""
        return Program(*arguments, environment=self.environment | environment)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"COSI_SOCKET": str(self.socket)}

    @contextmanager
    def running(self, *arguments: str) -> Iterator[None]:
        """``cosi run``, from when it serves until it has ended in order."""
        self.process = self.begin("run", "--root", str(self.root), *arguments)
        try:
            self.until("serving on")
            yield
        finally:
            self.process.send_signal(signal.SIGTERM)
            out, err = self.process.communicate()
            self.log.append(out + err)
        assert self.process.returncode == 0, "".join(self.log)

    def until(self, text: str) -> str:
        """Read the log until a line has ``text``, and return that line."""
        assert self.process is not None
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.log.append(line)
            if text in line:
                return line
        raise AssertionError(f"no line has {text!r}:\n" + "".join(self.log))
