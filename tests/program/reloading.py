"""A running `cosi run --reload` in a project of its own, whose source a test changes."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


class Reloading:
    """One process, however often it starts again; what it logs is kept."""

    def __init__(self, project: Path, root: Path, *more: str) -> None:
        where = ("--root", str(root), "--log-format", "console")
        command = [sys.executable, "-m", "cosi", "run", "mine:application", "--reload", *where]
        self.source = project / "mine.py"
        self.log: list[str] = []
        self.process = subprocess.Popen(
            [*command, *more],
            cwd=project,  # where `python -m` finds the module
            env={name: value for name, value in os.environ.items() if name != "COSI_SOCKET"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def until(self, text: str) -> str:
        """Read the log until a line has ``text``, and return that line."""
        assert self.process.stderr
        for line in self.process.stderr:
            self.log.append(line)
            if text in line:
                return line.rstrip()
        raise AssertionError(f"no line has {text!r}:\n" + "".join(self.log))

    def change(self, old: str, new: str) -> None:
        """Save the source with another text, as editors do: by a rename."""
        text = self.source.read_text()
        assert old in text
        temporary = self.source.with_suffix(".tmp")
        temporary.write_text(text.replace(old, new))
        temporary.rename(self.source)

    def end(self, number: int) -> int:
        """Send a signal, and wait for the end; the exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait for the end; the exit code."""
        assert self.process.stderr
        self.log += self.process.stderr
        return self.process.wait()


@contextmanager
def reloading(project: Path, root: Path, *more: str) -> Generator[Reloading]:
    """Run it in the block; one that a test that failed has left is killed."""
    running = Reloading(project, root, *more)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.process.kill()
        running.process.wait()
        if running.process.stderr:
            running.process.stderr.close()
