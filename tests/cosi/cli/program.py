"""The real `cosi` program as a process of its own, and `cosi run` in the background."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-c", "from cosi.cli import main; main()")


@dataclass
class Machine:
    """`cosi run` below ``root``; what it logs is kept."""

    root: Path
    log: list[str] = field(default_factory=list[str])
    process: subprocess.Popen[str] | None = None

    @property
    def socket(self) -> Path:
        return self.root / "run/cosi/cosi.sock"

    def cosi(self, *arguments: str, input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*PROGRAM, *arguments],
            env=self.environment,
            input=input,
            capture_output=True,
            text=True,
            timeout=30,
            cwd=ROOT,
            check=False,
        )

    def begin(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [*PROGRAM, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

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
            out, err = self.process.communicate(timeout=30)
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
